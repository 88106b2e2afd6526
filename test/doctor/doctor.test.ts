import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import {
  appendFile,
  chmod,
  cp,
  mkdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.js';
import { holdDataDir } from '../../src/data-dir.js';
import { merge } from '../../src/merge/merging.js';
import { systemDisk } from '../../src/recorder/disk.js';
import { parquetEncoder } from '../../src/recorder/files/parquet.js';
import { Room } from '../../src/recorder/room.js';
import { temporaryFolder } from '../app/app-fixture.js';
import { foreignParquet, memoryLog, parquet } from '../catalog/parquet.js';
import { SEALING } from '../merge/fixture.js';
import { crashedFolder, examined, pathsOf, stoppedFolder } from './patient.js';

const STREAM = 'streams/vehicle';

test('a folder after a stop has nothing wrong, and every file was read', async (t) => {
  const dataDir = await stoppedFolder(t);
  const { kinds, notes, progress } = await examined(dataDir);
  assert.deepEqual(kinds, []);
  assert.deepEqual(progress.at(-1), [4, 4]);
  assert.deepEqual(notes.length, 1);
  assert.match(notes[0]!.what, /^\d+ MiB are free$/);
  // It holds the folder no more, and has left nothing.
  assert.deepEqual(await pathsOf(dataDir, 'lock.json'), ['clock.json']);
});

test('a folder after a crash: what the next start does is told, and nothing is wrong', async (t) => {
  const { dataDir } = await crashedFolder(t);
  const { kinds, notes } = await examined(dataDir);
  assert.deepEqual(kinds, []);
  const said = notes.map(({ path, what }) => `${path}: ${what}`).join('\n');
  assert.match(said, /^streams\/vehicle\/journal: 3 messages are in no file yet; the next start/m);
  assert.match(said, /^clock.json: the last process ended without a stop/m);
});

test('a folder in use: it is told, and what is being written is left out', async (t) => {
  const { live } = await crashedFolder(t);
  await writeFile(join(live, STREAM, 'x.parquet.tmp'), 'half', { mode: 0o600 });
  const [segment] = await pathsOf(live, '.journal');
  await appendFile(join(live, segment!), 'half a block');
  await appendFile(join(live, STREAM, 'gaps.log'), 'half a line');
  const { kinds, notes } = await examined(live);
  assert.deepEqual(kinds, []);
  assert.match(notes[0]!.what, /in use by process/);
  assert.ok(notes.some(({ path, what }) => path === 'sessions' && /was not looked at/.test(what)));
});

test('what is no data folder is not looked at, and nothing is made there', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(examined(join(folder, 'none')), { code: 'DATA_DIR_UNUSABLE', message: /ENOENT/ });
  await writeFile(join(folder, 'photo.jpg'), '');
  await assert.rejects(examined(folder), { code: 'DATA_DIR_UNUSABLE', message: /neither/ });
  await assert.rejects(examined(join(folder, 'photo.jpg')), { code: 'DATA_DIR_UNUSABLE' });
  assert.deepEqual(await pathsOf(folder, ''), ['photo.jpg']);
});

test('files that are cut, overwritten, empty or not what their footers say', async (t) => {
  const dataDir = await stoppedFolder(t);
  const paths = await pathsOf(dataDir, '.parquet');
  const [cut, overwritten, empty, wrong] = paths.map((path) => join(dataDir, path)) as [
    string,
    string,
    string,
    string,
  ];
  await truncate(cut, 300);
  const bytes = await readFile(overwritten);
  bytes.fill(0xff, 4, bytes.length - 2000);
  await writeFile(overwritten, bytes);
  await truncate(empty, 0);
  // Two rows, and metadata that tell of others.
  const [, first, last] = /(\d+)~(\d+)_/.exec(wrong)!.map(Number) as [number, number, number];
  await writeFile(wrong, parquet({ firstKey: first + 1, lastKey: last, metadata: { firstKey: `${first}` } }));
  const { findings, kinds } = await examined(dataDir);
  assert.deepEqual(
    kinds,
    paths.map((path) => `file-corrupt ${path}`),
  );
  const said = findings.map(({ what }) => what);
  assert.match(said[0]!, /^is no whole file: it does not end with PAR1/);
  assert.match(said[1]!, /^its rows cannot be read: /);
  assert.match(said[2]!, /^is no whole file: 0 bytes are too few/);
  assert.match(said[3]!, /^its rows cannot be read|^has keys/);
});

test('names, folders and owners that do not fit', async (t) => {
  const dataDir = await stoppedFolder(t);
  const [renamed, moved, foreign, hidden] = (await pathsOf(dataDir, '.parquet')) as [
    string,
    string,
    string,
    string,
  ];
  const at = (path: string) => join(dataDir, path);
  await rename(at(renamed), at(`${dirname(renamed)}/copy.parquet`));
  const other = `${STREAM}/date=2001-02-03`;
  await mkdir(at(other), { mode: 0o700 });
  const movedTo = `${other}/${moved.split('/').at(-1)}`;
  await rename(at(moved), at(movedTo));
  await writeFile(at(foreign), foreignParquet(1, 2));
  await rename(at(hidden), at(`${dirname(hidden)}/a b.parquet`));
  const { findings, kinds } = await examined(dataDir);
  assert.deepEqual(kinds.sort(), [
    `file-foreign ${foreign}`,
    `file-misnamed ${movedTo}`,
    `file-misnamed ${dirname(hidden)}/a b.parquet`,
    `file-misnamed ${dirname(renamed)}/copy.parquet`,
  ]);
  const copy = findings.find(({ path }) => path.endsWith('copy.parquet'))!;
  assert.ok(copy.advice.includes(renamed.split('/').at(-1)!.split('_')[0]!), copy.advice);
});

test('files with keys of one range', async (t) => {
  const dataDir = await stoppedFolder(t);
  const [first] = await pathsOf(dataDir, '.parquet');
  const copy = first!.replace('_1.', '_9.');
  await cp(join(dataDir, first!), join(dataDir, copy));
  const { findings, kinds } = await examined(dataDir);
  assert.deepEqual(kinds, [`files-overlap ${copy}`]);
  assert.ok(findings[0]!.what.includes(first!));
});

test('files that were merged and are not deleted yet are no fault', async (t) => {
  const dataDir = await stoppedFolder(t);
  const sources = await pathsOf(dataDir, '.parquet');
  const catalog = await Catalog.open({ dataDir, fs, log: memoryLog() });
  const room = new Room(systemDisk, dataDir, 0);
  const report = await merge(
    { dataDir, version: '1', fs, disk: systemDisk, room, encoder: parquetEncoder, sealing: SEALING },
    {
      stream: 'vehicle',
      compression: 'zstd',
      encrypted: false,
      rawBytes: 2 ** 20,
      files: catalog.files('vehicle'),
    },
  );
  assert.equal(report.kind, 'merged');
  const { kinds } = await examined(dataDir);
  assert.deepEqual(
    kinds,
    sources.map((path) => `leftover ${path}`),
  );
  await Promise.all(sources.map((path) => rm(join(dataDir, path))));
  assert.deepEqual((await examined(dataDir)).kinds, []);
});

test('what was not finished, what was set aside, what is none of ours', async (t) => {
  const dataDir = await stoppedFolder(t);
  const [file] = (await pathsOf(dataDir, '.parquet')) as [string];
  const put = (path: string) => writeFile(join(dataDir, path), 'x', { mode: 0o600 });
  await put(`${file.replace('_1.', '_8.')}.tmp`);
  await put(`${file.replace('_1.', '_9.')}.corrupt`);
  await put('clock.json.tmp');
  await put('lock.json.after-7-8');
  await put(`${STREAM}/gaps.log.corrupt`);
  await put(`${STREAM}/notes.txt`);
  await put(`${dirname(file)}/notes.txt`);
  await put('streams/readme');
  await mkdir(join(dataDir, 'streams', 'Not A Stream'), { mode: 0o700 });
  await put('streams/Not A Stream/1~2_1.parquet');
  await symlink('/etc', join(dataDir, STREAM, 'date=2001-01-01'));
  const { kinds } = await examined(dataDir);
  assert.deepEqual(kinds.sort(), [
    'leftover clock.json.tmp',
    'leftover lock.json.after-7-8',
    `leftover ${file.replace('_1.', '_8.')}.tmp`,
    `set-aside ${file.replace('_1.', '_9.')}.corrupt`,
    `set-aside ${STREAM}/gaps.log.corrupt`,
    'unknown-item streams/Not A Stream',
    'unknown-item streams/readme',
    `unknown-item ${STREAM}/date=2001-01-01`,
    `unknown-item ${dirname(file)}/notes.txt`,
    `unknown-item ${STREAM}/notes.txt`,
  ]);
});

test('a journal: a torn end, a block that is damaged, no segment at all', async (t) => {
  const { dataDir } = await crashedFolder(t);
  const [segment] = (await pathsOf(dataDir, '.journal')) as [string];
  const path = join(dataDir, segment);
  const whole = await readFile(path);
  await appendFile(path, 'half a block');
  const torn = await examined(dataDir);
  assert.deepEqual(torn.kinds, [`journal-torn ${segment}`]);
  assert.match(torn.findings[0]!.what, /^its last 12 of \d+ bytes/);
  assert.match(torn.findings[0]!.advice, /takes the 3 messages before/);

  const flipped = Buffer.from(whole);
  flipped[40]! ^= 1;
  await writeFile(path, flipped);
  const damaged = await examined(dataDir);
  assert.deepEqual(damaged.kinds, [`journal-torn ${segment}`]);
  assert.match(damaged.findings[0]!.advice, /takes the 0 messages before/);
  assert.deepEqual(
    damaged.notes.filter(({ path }) => path.endsWith('journal')),
    [],
  );

  await writeFile(path, whole.subarray(0, 5));
  assert.deepEqual((await examined(dataDir)).kinds, [`journal-torn ${segment}`]);
  await writeFile(path, Buffer.alloc(100));
  assert.deepEqual((await examined(dataDir)).kinds, [`journal-corrupt ${segment}`]);
  // Nothing was changed.
  assert.deepEqual(await readFile(path), Buffer.alloc(100));
});

test('a record of gaps: what it says, a torn end, damage', async (t) => {
  const dataDir = await stoppedFolder(t);
  const path = join(dataDir, STREAM, 'gaps.log');
  const text = await readFile(path, 'utf8');
  await appendFile(path, '01234567 {"settled"');
  assert.deepEqual((await examined(dataDir)).kinds, [`gaps-torn ${STREAM}/gaps.log`]);
  await writeFile(path, `x${text}`);
  const { findings, kinds } = await examined(dataDir);
  assert.deepEqual(kinds, [`gaps-corrupt ${STREAM}/gaps.log`]);
  assert.match(findings[0]!.what, /^1 of its lines/);
});

test('the clock: no state, and a machine whose clock is behind the last message', async (t) => {
  const dataDir = await stoppedFolder(t);
  await writeFile(join(dataDir, 'clock.json'), '{"bootId":');
  assert.deepEqual((await examined(dataDir)).kinds, ['clock-corrupt clock.json']);
  const other = await stoppedFolder(t);
  const behind = await examined(other, { now: 1e6 });
  assert.deepEqual(behind.kinds, ['clock-off clock.json']);
  assert.match(behind.findings[0]!.what, /the clock of this machine says 1970-01-01T00:00:01/);
  await rm(join(other, 'clock.json'));
  const none = await examined(other);
  assert.deepEqual(none.kinds, []);
  assert.match(none.notes.at(-1)!.what, /is not there/);
});

test('what others may read is one finding, however much it is; sessions are behind their folder', async (t) => {
  const dataDir = await stoppedFolder(t);
  const [file] = (await pathsOf(dataDir, '.parquet')) as [string];
  await chmod(join(dataDir, file), 0o640);
  const one = await examined(dataDir);
  assert.deepEqual(one.kinds, [`access ${file}`]);
  assert.match(one.findings[0]!.what, /mode 640\)$/);
  await chmod(dataDir, 0o755);
  const { findings, kinds } = await examined(dataDir);
  assert.deepEqual(kinds, ['access .']);
  assert.match(findings[0]!.what, /mode 755\), and so it is with 1 more/);
  assert.equal(findings[0]!.advice, `chmod -R go= ${dataDir}`);
});

test('a disk that refuses, and one that is full', async (t) => {
  const dataDir = await stoppedFolder(t);
  const [file] = (await pathsOf(dataDir, '.parquet')) as [string];
  const refuse = (path: string) => Promise.reject(Object.assign(new Error(`EIO: ${path}`), { code: 'EIO' }));
  const { open } = await import('node:fs/promises');
  const { findings, kinds } = await examined(dataDir, {
    files: {
      open: (path, flags) => (path.endsWith(file) ? refuse(path) : open(path, flags)),
      statfs: async () => ({ bavail: 10, bsize: 2 ** 20 }),
    },
  });
  assert.deepEqual(kinds, ['space .', `unreadable ${file}`]);
  assert.match(findings[0]!.what, /^only 10 MiB are free/);
  assert.match(findings[1]!.what, /EIO/);
});

test('a store of sessions that is damaged, or open elsewhere', async (t) => {
  const dataDir = await stoppedFolder(t);
  await writeFile(join(dataDir, 'sessions', 'CURRENT'), 'MANIFEST-777777\n');
  const { findings, kinds } = await examined(dataDir);
  assert.deepEqual(kinds, ['sessions sessions']);
  assert.match(findings[0]!.advice, /STORE_UNUSABLE/);
});

test('no broker starts in a folder while it is looked at', async (t) => {
  const dataDir = await stoppedFolder(t);
  let refused: unknown = null;
  await examined(dataDir, {
    files: {
      statfs: async () => {
        await holdDataDir(dataDir).catch((error: unknown) => {
          refused = error;
        });
        return { bavail: 1e9, bsize: 4096 };
      },
    },
  });
  assert.equal((refused as { code?: string } | null)?.code, 'DATA_DIR_IN_USE');
});

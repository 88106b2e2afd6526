import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.js';
import type { FileEntry } from '../../src/catalog/entry.js';
import type { CatalogFs } from '../../src/catalog/place.js';
import { DAY, DAY_MICROS, dataFolder, memoryLog, parquet, pathOf, put } from './parquet.js';

const NONE = { maxBytes: 0, maxFiles: 0, maxAge: 0 };
const NOW = DAY + 10 * DAY_MICROS;

/** A catalogue of `count` files, one a day from 2024-11-23 on. */
async function daily(t: TestContext, count: number, fs: Partial<CatalogFs> = {}) {
  const dataDir = await dataFolder(t);
  for (let i = 0; i < count; i += 1) {
    const [firstKey, lastKey] = [DAY + i * DAY_MICROS, DAY + i * DAY_MICROS + 9];
    await put(dataDir, pathOf(firstKey, lastKey, i + 1), parquet({ firstKey, lastKey }));
  }
  const log = memoryLog();
  const catalog = await Catalog.open({ dataDir, fs: { ...files, ...fs }, log });
  await catalog.load();
  const seqs = () => catalog.files('vehicle').map(({ seq }) => seq);
  const days = async () =>
    (await files.readdir(join(dataDir, 'streams/vehicle'))).map((day) => Number(day.slice(-2)));
  const errors = () => log.lines.filter(({ level }) => level === 'error');
  return { dataDir, catalog, log, seqs, days, errors, entries: catalog.files('vehicle') };
}

const seqOf = ({ seq }: FileEntry) => seq;

function entry(firstKey: number, lastKey: number, seq: number, stream = 'vehicle'): FileEntry {
  const path = pathOf(firstKey, lastKey, seq, stream);
  const name = path.slice(path.lastIndexOf('/') + 1);
  return { stream, name, path, firstKey, lastKey, seq, rows: 3, bytes: 100, rawBytes: 400, sha256: null };
}

test('an added file is there in the same turn', async (t) => {
  const { catalog } = await daily(t, 1);
  const before = catalog.totals('vehicle');
  const added = entry(DAY + 20, DAY + 29, catalog.nextSeq('vehicle'));
  catalog.add(added);
  assert.deepEqual(catalog.files('vehicle', [{ start: DAY + 25, end: DAY + 25 }]), [added]);
  assert.deepEqual(catalog.find('vehicle', added.name), added);
  assert.equal(catalog.find('vehicle', '../../etc/passwd'), undefined);
  assert.equal(catalog.find('constructor', added.name), undefined);
  assert.deepEqual(catalog.totals('vehicle'), { files: 2, bytes: before.bytes + 100, rows: 5 });
  assert.equal(catalog.maxKey(), DAY + 29);
  catalog.add(entry(DAY - 5, DAY - 1, 8, 'camera'));
  assert.deepEqual(catalog.streams(), ['camera', 'vehicle']);
  assert.equal(catalog.maxKey(), DAY + 29);
  assert.equal(catalog.nextSeq('camera'), 9);
  assert.throws(() => catalog.add({ ...added }), { code: 'INTERNAL', message: /added twice/ });
});

test('the lists handed out are copies', async (t) => {
  const { catalog, seqs } = await daily(t, 2);
  catalog.files('vehicle').length = 0;
  assert.deepEqual(seqs(), [1, 2]);
});

test('the checksum is kept with the file', async (t) => {
  const { catalog, entries } = await daily(t, 1);
  catalog.setSha256({ ...entries[0]! }, 'ab12');
  assert.equal(catalog.files('vehicle')[0]?.sha256, 'ab12');
  catalog.setSha256(entry(1, 2, 3, 'camera'), 'ff');
});

test('retention deletes files and the folders it empties', async (t) => {
  const { catalog, seqs, days, log } = await daily(t, 5);
  assert.deepEqual(await catalog.retain('vehicle', NONE, NOW), []);
  assert.deepEqual((await catalog.retain('vehicle', { ...NONE, maxFiles: 3 }, NOW)).map(seqOf), [1, 2]);
  assert.deepEqual(await days(), [25, 26, 27]);
  const { bytes } = catalog.totals('vehicle');
  assert.deepEqual((await catalog.retain('vehicle', { ...NONE, maxBytes: bytes - 1 }, NOW)).map(seqOf), [3]);
  const maxAge = 6 * 86_400_000 + 1000;
  assert.deepEqual((await catalog.retain('vehicle', { ...NONE, maxAge }, NOW)).map(seqOf), [4]);
  assert.deepEqual(seqs(), [5]);
  assert.deepEqual(await days(), [27]);
  assert.deepEqual((await catalog.retain('vehicle', { ...NONE, maxAge: 1 }, NOW)).map(seqOf), [5]);
  assert.deepEqual(catalog.totals('vehicle'), { files: 0, bytes: 0, rows: 0 });
  assert.deepEqual(catalog.streams(), []);
  assert.equal(catalog.maxKey(), DAY + 4 * DAY_MICROS + 9);
  assert.equal(catalog.nextSeq('vehicle'), 6);
  assert.deepEqual(await catalog.retain('unknown', { ...NONE, maxFiles: 1 }, NOW), []);
  assert.ok(log.lines.every(({ level }) => level === 'info'));
});

test("today's folder and one with other files in it stay", async (t) => {
  const { dataDir, catalog, days, log } = await daily(t, 3);
  await put(dataDir, 'streams/vehicle/date=2024-11-24/notes.txt', Buffer.from('x'));
  await catalog.retain('vehicle', { ...NONE, maxAge: 1 }, DAY + 2 * DAY_MICROS + 10_000_000);
  assert.deepEqual(await days(), [24, 25]);
  assert.ok(log.lines.every(({ level }) => level === 'info'));
});

test('the bytes of a pinned file go at its last unpin, its entry at once', async (t) => {
  const { catalog, entries, seqs, days } = await daily(t, 3);
  const first = catalog.pin(entries[0]!);
  const second = catalog.pin({ ...entries[0]! });
  const third = catalog.pin(entries[2]!);
  assert.deepEqual((await catalog.retain('vehicle', { ...NONE, maxFiles: 1 }, NOW)).map(seqOf), [1, 2]);
  assert.deepEqual(seqs(), [3]);
  assert.deepEqual(await days(), [23, 25]);
  first();
  first();
  await catalog.idle();
  await catalog.retain('vehicle', NONE, NOW);
  assert.deepEqual(await days(), [23, 25]);
  second();
  third();
  await catalog.idle();
  assert.deepEqual(await days(), [25]);
  assert.deepEqual(seqs(), [3]);
});

test('a file that cannot be deleted is logged and tried again at the next call', async (t) => {
  let failing = true;
  const { catalog, seqs, days, errors } = await daily(t, 3, {
    unlink: (path) => (failing ? Promise.reject(new Error('EPERM: not permitted')) : files.unlink(path)),
  });
  assert.deepEqual((await catalog.retain('vehicle', { ...NONE, maxFiles: 2 }, NOW)).map(seqOf), [1]);
  assert.deepEqual(seqs(), [2, 3]);
  assert.deepEqual(await catalog.retain('vehicle', { ...NONE, maxFiles: 2 }, NOW), []);
  assert.deepEqual(
    errors().map(({ fields }) => fields.error),
    ['EPERM: not permitted', 'EPERM: not permitted'],
  );
  assert.deepEqual(await days(), [23, 24, 25]);
  failing = false;
  await catalog.retain('vehicle', { ...NONE, maxFiles: 2 }, NOW);
  assert.deepEqual(await days(), [24, 25]);
});

test('a file that somebody else deleted is gone, without an error', async (t) => {
  const { dataDir, catalog, days, errors, entries } = await daily(t, 2);
  await files.unlink(join(dataDir, entries[0]!.path));
  await catalog.retain('vehicle', { ...NONE, maxFiles: 1 }, NOW);
  assert.deepEqual(await days(), [24]);
  assert.deepEqual(errors(), []);
});

test('a folder that cannot be removed is a warning', async (t) => {
  const { catalog, log } = await daily(t, 2, { rmdir: () => Promise.reject(new Error('EBUSY')) });
  await catalog.retain('vehicle', { ...NONE, maxFiles: 1 }, NOW);
  assert.deepEqual(log.lines.at(-1)?.level, 'warn');
});

test('deletions of one stream never run side by side', async (t) => {
  let running = 0;
  let most = 0;
  const { catalog, days, entries } = await daily(t, 5, {
    unlink: async (path) => {
      running += 1;
      most = Math.max(most, running);
      await files.unlink(path);
      running -= 1;
    },
  });
  const unpin = catalog.pin(entries[0]!);
  const calls = [4, 3, 2].map((maxFiles) => catalog.retain('vehicle', { ...NONE, maxFiles }, NOW));
  unpin();
  assert.deepEqual(
    (await Promise.all(calls)).map((left) => left.map(seqOf)),
    [[1], [2], [3]],
  );
  await catalog.idle();
  assert.equal(most, 1);
  assert.deepEqual(await days(), [26, 27]);
});

test('a file found corrupt later is set aside, once, and not deleted when unpinned', async (t) => {
  const { dataDir, catalog, entries, seqs, log } = await daily(t, 2);
  const unpin = catalog.pin(entries[0]!);
  await Promise.all([
    catalog.drop(entries[0]!, 'a page is torn'),
    catalog.drop(entries[0]!, 'a page is torn'),
  ]);
  unpin();
  await catalog.idle();
  assert.deepEqual(seqs(), [2]);
  assert.equal(catalog.totals('vehicle').rows, 2);
  await files.access(join(dataDir, `${entries[0]!.path}.corrupt`));
  const warnings = log.lines.filter(({ level }) => level === 'warn');
  assert.deepEqual(
    warnings.map(({ fields }) => fields.reason),
    ['a page is torn'],
  );
  await catalog.drop(entry(1, 2, 3, 'camera'), 'never listed');
});

test('a file takes the place of others in one turn; what is left of them on the disk unsettles it', async (t) => {
  const { catalog, dataDir, entries, seqs } = await daily(t, 3);
  const [first, second] = entries;
  const path = pathOf(DAY, second!.lastKey, 2);
  const bytes = parquet({ firstKey: DAY, lastKey: second!.lastKey });
  await put(dataDir, path, bytes);
  const name = path.slice(path.lastIndexOf('/') + 1);
  const merged = { ...second!, name, path, firstKey: DAY, rows: 4, bytes: bytes.length, sha256: null };
  assert.throws(() => catalog.replace([second!], first!), { code: 'INTERNAL' });
  const unpin = catalog.pin(first!);
  assert.equal(catalog.replace([first!, second!], merged), true);
  assert.deepEqual(
    catalog.files('vehicle').map((file) => file.path),
    [path, entries[2]!.path],
  );
  assert.equal(catalog.totals('vehicle').rows, 6);
  await catalog.idle();
  assert.deepEqual(catalog.unsettled('vehicle'), [merged]);
  await files.access(join(dataDir, first!.path));
  await assert.rejects(files.access(join(dataDir, second!.path)));
  unpin();
  await catalog.idle();
  assert.deepEqual(catalog.unsettled('vehicle'), []);
  await assert.rejects(files.access(join(dataDir, first!.path)));

  // One of the sources is not there any more.
  const late = { ...merged, name: 'late.parquet', path: 'streams/vehicle/date=2024-11-23/late.parquet' };
  await put(dataDir, late.path, bytes);
  assert.equal(catalog.replace([first!, entries[2]!], late), false);
  await catalog.idle();
  await assert.rejects(files.access(join(dataDir, late.path)));
  assert.deepEqual(seqs(), [2, 3]);
});

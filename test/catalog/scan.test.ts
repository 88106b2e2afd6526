import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.js';
import type { CatalogFs } from '../../src/catalog/place.js';
import { generator } from './generator.js';
import {
  DAY,
  DAY_MICROS,
  dataFolder,
  foreignParquet,
  memoryLog,
  parquet,
  pathOf,
  put,
  putMany,
} from './parquet.js';

async function open(dataDir: string, fs: Partial<CatalogFs> = {}) {
  const log = memoryLog();
  const catalog = await Catalog.open({ dataDir, fs: { ...files, ...fs }, log });
  await catalog.load();
  const keys = (stream = 'vehicle') => catalog.files(stream).map(({ firstKey }) => firstKey - DAY);
  const said = (pattern: RegExp) => log.lines.filter(({ message }) => pattern.test(message));
  return { catalog, log, keys, said };
}

const onDisk = async (dataDir: string, folder: string) => (await files.readdir(join(dataDir, folder))).sort();
const FOLDER = 'streams/vehicle/date=2024-11-23';

test('without a folder the catalogue is empty', async (t) => {
  const { catalog, log } = await open(join(await dataFolder(t), 'new'));
  assert.deepEqual(catalog.streams(), []);
  assert.deepEqual(catalog.files('vehicle'), []);
  assert.deepEqual(catalog.totals('vehicle'), { files: 0, bytes: 0, rows: 0 });
  assert.equal(catalog.earliestKey('vehicle'), null);
  assert.equal(catalog.maxKey(), 0);
  assert.equal(catalog.nextSeq('vehicle'), 1);
  assert.deepEqual(log.lines, []);
});

test('the catalogue is rebuilt from what lies there', async (t) => {
  const dataDir = await dataFolder(t);
  const ranges = [
    [DAY, DAY + 9, 1, 'vehicle'],
    [DAY + DAY_MICROS, DAY + DAY_MICROS + 5, 12, 'vehicle'],
    [DAY + 10, DAY + 19, 2, 'vehicle'],
    [DAY + 3, DAY + 2 * DAY_MICROS, 4, 'camera_1'],
  ] as const;
  for (const [firstKey, lastKey, seq, stream] of ranges) {
    await put(dataDir, pathOf(firstKey, lastKey, seq, stream), parquet({ firstKey, lastKey, stream }));
  }
  const { catalog, keys, log } = await open(dataDir);
  assert.deepEqual(catalog.streams(), ['camera_1', 'vehicle']);
  assert.deepEqual(keys(), [0, 10, DAY_MICROS]);
  const { size } = await files.stat(join(dataDir, pathOf(DAY + 10, DAY + 19, 2)));
  const { rawBytes, ...entry } = catalog.files('vehicle')[1]!;
  assert.ok(rawBytes > 16 && rawBytes < size);
  assert.deepEqual(entry, {
    stream: 'vehicle',
    name: `${DAY + 10}~${DAY + 19}_2.parquet`,
    path: pathOf(DAY + 10, DAY + 19, 2),
    firstKey: DAY + 10,
    lastKey: DAY + 19,
    seq: 2,
    rows: 2,
    bytes: size,
    sha256: null,
  });
  assert.equal(catalog.totals('vehicle').rows, 6);
  assert.equal(catalog.earliestKey('vehicle'), DAY);
  assert.equal(catalog.maxKey(), DAY + 2 * DAY_MICROS);
  assert.equal(catalog.nextSeq('vehicle'), 13);
  assert.equal(catalog.nextSeq('camera_1'), 5);
  assert.deepEqual(
    catalog.corrections().map(({ stream, firstKey }) => [stream, firstKey - DAY]),
    [
      ['vehicle', 0],
      ['camera_1', 3],
      ['vehicle', 10],
      ['vehicle', DAY_MICROS],
    ],
  );
  assert.deepEqual(catalog.corrections()[0]?.clock, { corrections: [{ from: DAY, offset: 5 }] });
  assert.deepEqual(
    log.lines.map(({ level, fields }) => [level, fields.stream, fields.files]),
    [
      ['info', 'camera_1', 1],
      ['info', 'vehicle', 3],
    ],
  );
});

test('a name that tells no keys, or wrong ones, gives way to the footer', async (t) => {
  const dataDir = await dataFolder(t);
  await put(dataDir, `${FOLDER}/merged.parquet`, parquet({ firstKey: DAY + 50, lastKey: DAY + 60 }));
  await put(dataDir, pathOf(DAY, DAY + 1, 7), parquet({ firstKey: DAY, lastKey: DAY + 9 }));
  const { catalog, keys, said } = await open(dataDir);
  assert.deepEqual(keys(), [0, 50]);
  assert.deepEqual(
    catalog.files('vehicle').map(({ lastKey, seq }) => [lastKey - DAY, seq]),
    [
      [9, 7],
      [60, 0],
    ],
  );
  assert.equal(said(/name does not tell its keys/).length, 2);
});

test('corrupt files are set aside and never served, whatever they hold', async (t) => {
  const dataDir = await dataFolder(t);
  const whole = parquet({ firstKey: DAY, lastKey: DAY + 9 });
  const random = generator(3);
  const broken = [
    whole.subarray(0, whole.length - 20),
    Buffer.alloc(whole.length),
    Buffer.alloc(0),
    Buffer.concat([Buffer.from('PAR2'), whole.subarray(4)]),
    Buffer.from(Array.from({ length: 5000 }, () => random() * 256)),
    Buffer.concat([
      Buffer.from('PAR1'),
      Buffer.alloc(5000, 0xff),
      Buffer.from([0x80, 0x10, 0, 0]),
      Buffer.from('PAR1'),
    ]),
  ];
  const names = broken.map((_, i) => pathOf(DAY + 100 * i, DAY + 100 * i + 9, i + 1));
  for (const [i, bytes] of broken.entries()) await put(dataDir, names[i]!, bytes);
  const good = pathOf(DAY + 1000, DAY + 1009, 9);
  await put(dataDir, good, parquet({ firstKey: DAY + 1000, lastKey: DAY + 1009 }));

  const first = await open(dataDir);
  assert.deepEqual(first.keys(), [1000]);
  assert.equal(first.said(/set aside/).length, broken.length);
  assert.ok(first.said(/set aside/).every(({ level, fields }) => level === 'warn' && fields.reason !== ''));
  const expected = [...names.map((name) => `${name}.corrupt`), good].map((path) =>
    path.slice(FOLDER.length + 1),
  );
  assert.deepEqual(await onDisk(dataDir, FOLDER), expected.sort());

  const second = await open(dataDir);
  assert.deepEqual(second.said(/set aside/), []);
  assert.deepEqual(second.keys(), [1000]);
});

test('the number of a file set aside is not used again', async (t) => {
  const dataDir = await dataFolder(t);
  await put(dataDir, `${pathOf(DAY, DAY + 9, 41)}.corrupt`, Buffer.alloc(3));
  await put(dataDir, pathOf(DAY, DAY + 9, Number.MAX_SAFE_INTEGER), Buffer.alloc(3));
  const { catalog } = await open(dataDir);
  assert.equal(catalog.nextSeq('vehicle'), 42);
  assert.equal(catalog.nextSeq('vehicle'), 43);
});

test('a corrupt file that cannot be renamed, and one that cannot be opened, are not served and not fatal', async (t) => {
  const dataDir = await dataFolder(t);
  await put(dataDir, pathOf(DAY, DAY + 9, 1), Buffer.alloc(100));
  await put(dataDir, pathOf(DAY + 10, DAY + 19, 2), parquet({ firstKey: DAY + 10, lastKey: DAY + 19 }));
  const { keys, log } = await open(dataDir, {
    rename: () => Promise.reject(Object.assign(new Error('EROFS: read-only'), { code: 'EROFS' })),
    open: (path, flags) =>
      path.endsWith('_2.parquet') ? Promise.reject(new Error('EIO: i/o error')) : files.open(path, flags),
  });
  assert.deepEqual(keys(), []);
  assert.deepEqual(log.lines.map(({ level, fields }) => [level, fields.error]).sort(), [
    ['error', 'EIO: i/o error'],
    ['error', 'EROFS: read-only'],
  ]);
  assert.equal((await onDisk(dataDir, FOLDER)).length, 2);
});

test("other people's files, hostile names, links and folders are left alone", async (t) => {
  const dataDir = await dataFolder(t);
  const good = { firstKey: DAY, lastKey: DAY + 9 };
  const outside = join(dataDir, 'outside.parquet');
  await put(dataDir, 'outside.parquet', parquet(good));
  await put(dataDir, pathOf(DAY, DAY + 9, 1), parquet(good));
  await put(dataDir, `${FOLDER}/.parquet`, parquet(good));
  await put(dataDir, `${FOLDER}/a#+.parquet`, parquet(good));
  await put(dataDir, `${FOLDER}/..%2f..%2fx.parquet`, parquet(good));
  await put(dataDir, `${FOLDER}/foreign.parquet`, foreignParquet(DAY, DAY + 9));
  await put(dataDir, `${FOLDER}/other.parquet`, parquet({ ...good, stream: 'camera' }));
  await put(dataDir, `${FOLDER}/notes.txt`, Buffer.from('x'));
  await put(dataDir, `${FOLDER}/x.parquet/inside.parquet`, parquet(good));
  await put(dataDir, `${FOLDER}/y.parquet.tmp/inside.parquet`, parquet(good));
  await put(dataDir, 'streams/vehicle/date=../z.parquet', parquet(good));
  await put(dataDir, 'streams/vehicle/journal/z.parquet', parquet(good));
  await put(dataDir, 'streams/Bad Name/date=2024-11-23/z.parquet', parquet({ ...good, stream: 'Bad Name' }));
  await put(dataDir, 'streams/stray.parquet', parquet(good));
  await files.symlink(outside, join(dataDir, FOLDER, 'link.parquet'));
  await files.symlink(join(dataDir, FOLDER), join(dataDir, 'streams/vehicle/date=2024-11-24'));
  await files.symlink(join(dataDir, 'streams/vehicle'), join(dataDir, 'streams/linked'));
  const before = await files.readdir(dataDir, { recursive: true });

  const { catalog, keys, said } = await open(dataDir);
  assert.deepEqual(catalog.streams(), ['vehicle']);
  assert.deepEqual(keys(), [0]);
  assert.deepEqual((await files.readdir(dataDir, { recursive: true })).sort(), before.sort());
  assert.equal(said(/unusable name/).length, 3);
  assert.equal(said(/not of this stream/).length, 2);
  assert.equal(said(/no regular file/).length, 3);
  assert.equal(said(/no folder of a stream/).length, 3);
});

test('files of one range are both kept, in one order, with a warning', async (t) => {
  const dataDir = await dataFolder(t);
  const sample = { firstKey: DAY, lastKey: DAY + 9 };
  for (const seq of [10, 9, 2]) await put(dataDir, pathOf(DAY, DAY + 9, seq), parquet(sample));
  await put(dataDir, pathOf(DAY, DAY + 9, 9).replace('11-23', '11-22'), parquet(sample));
  await put(dataDir, pathOf(DAY + 10, DAY + 11, 11), parquet({ firstKey: DAY + 10, lastKey: DAY + 11 }));
  const { catalog, said } = await open(dataDir);
  assert.deepEqual(
    catalog.files('vehicle').map(({ seq, path }) => [seq, path.includes('11-22')]),
    [
      [2, false],
      [9, true],
      [9, false],
      [10, false],
      [11, false],
    ],
  );
  assert.equal(said(/keys of one range/).length, 3);
});

test('a folder that cannot be listed is an error: messages would be hidden', async (t) => {
  const dataDir = await dataFolder(t);
  await files.writeFile(join(dataDir, 'streams'), '');
  await assert.rejects(open(dataDir), {
    code: 'DATA_DIR_UNUSABLE',
    message: /streams cannot be used: ENOTDIR/,
  });
});

test('2,000 files are found, and found by key', async (t) => {
  const dataDir = await dataFolder(t);
  await putMany(dataDir, 2000);
  const { catalog, keys, log } = await open(dataDir);
  assert.deepEqual(
    keys(),
    Array.from({ length: 2000 }, (_, i) => 10 * i),
  );
  assert.equal(catalog.totals('vehicle').rows, 4000);
  const found = catalog.files('vehicle', [{ start: DAY + 12_345, end: DAY + 12_350 }]);
  assert.deepEqual(
    found.map(({ seq }) => seq),
    [1235, 1236],
  );
  assert.equal(catalog.nextSeq('vehicle'), 2001);
  assert.equal(log.lines.length, 1);
});

import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.js';
import type { CatalogFs } from '../../src/catalog/place.js';
import { generator } from './generator.js';
import { DAY, dataFolder, memoryLog, parquet, pathOf, put, putMany } from './parquet.js';

const MANY = 600;
const NONE = { maxBytes: 0, maxFiles: 0, maxAge: 0 };

async function opened(
  t: TestContext,
  count: number,
  change: (dataDir: string) => Promise<void> = async () => {},
) {
  const dataDir = await dataFolder(t);
  await putMany(dataDir, count);
  await change(dataDir);
  const read: string[] = [];
  /** Called before a file is opened. */
  const hook = { before: async () => {} };
  const fs: CatalogFs = {
    ...files,
    open: async (path, flags) => {
      // A folder is opened to be synced.
      if (path.endsWith('.parquet')) {
        read.push(path.slice(path.lastIndexOf('/') + 1));
        await hook.before();
      }
      return files.open(path, flags);
    },
  };
  const log = memoryLog();
  const catalog = await Catalog.open({ dataDir, fs, log });
  const seqs = () => catalog.files('vehicle').map(({ seq }) => seq);
  const said = (pattern: RegExp) => log.lines.filter(({ message }) => pattern.test(message));
  return { dataDir, catalog, read, hook, seqs, said };
}

const rangeOf = (from: number, to: number) => ({ start: DAY + from, end: DAY + to });
const merged = (from: number, to: number, of: readonly string[]) =>
  parquet({ firstKey: DAY + from, lastKey: DAY + to, metadata: { merged: JSON.stringify(of) } });
const nameOf = (i: number) => `${DAY + 10 * i}~${DAY + 10 * i + 9}_${i + 1}.parquet`;

test('of 10,000 files one is read before the catalogue can be used, and then all', async (t) => {
  const { catalog, read, seqs } = await opened(t, 10_000);
  const told: string[] = [];
  catalog.onLoaded = (stream) => told.push(stream);
  assert.deepEqual(read, [nameOf(9_999)]);
  assert.deepEqual(seqs(), [10_000]);
  assert.equal(catalog.lastKey('vehicle'), DAY + 99_999);
  assert.equal(catalog.maxKey(), DAY + 99_999);
  assert.equal(catalog.nextSeq('vehicle'), 10_001);
  assert.equal(catalog.loading('vehicle'), 9_999);
  assert.equal(catalog.loading('camera'), 0);
  assert.equal(catalog.loading('vehicle', [rangeOf(5, 14), rangeOf(500, 500), rangeOf(99_989, 200_000)]), 4);
  assert.equal(catalog.loading('vehicle', [rangeOf(-10, -1), rangeOf(99_990, 200_000)]), 0);
  assert.deepEqual(await catalog.retain('vehicle', { ...NONE, maxFiles: 1 }, DAY), []);

  const loading = catalog.load();
  assert.equal(catalog.load(), loading);
  await loading;
  assert.equal(read.length, 10_000);
  assert.equal(catalog.totals('vehicle').files, 10_000);
  assert.equal(catalog.loading('vehicle'), 0);
  assert.equal(catalog.loading('vehicle', [rangeOf(0, 99_999)]), 0);
  assert.equal(catalog.earliestKey('vehicle'), DAY);
  assert.equal(catalog.corrections().length, 10_000);
  assert.deepEqual(told, ['vehicle']);
  assert.equal((await catalog.retain('vehicle', { ...NONE, maxFiles: 9_999 }, DAY)).length, 1);
});

test('few files are read at once, also beside a stream with many', async (t) => {
  const { catalog, read } = await opened(t, MANY, async (dataDir) => {
    for (const seq of [1, 2]) {
      const keys = { firstKey: DAY + 10 * seq, lastKey: DAY + 10 * seq + 9 };
      await put(
        dataDir,
        pathOf(keys.firstKey, keys.lastKey, seq, 'camera'),
        parquet({ ...keys, stream: 'camera' }),
      );
    }
  });
  assert.deepEqual([catalog.loading('camera'), catalog.totals('camera').files], [0, 2]);
  assert.deepEqual([catalog.loading('vehicle'), catalog.totals('vehicle').files], [MANY - 1, 1]);
  assert.equal(read.length, 3);
});

test('the highest key is that of the newest file that is whole, before anything is loaded', async (t) => {
  const { catalog, read, seqs, said } = await opened(t, MANY, async (dataDir) => {
    const broken = [MANY - 1, MANY - 2];
    for (const i of broken)
      await files.truncate(join(dataDir, pathOf(DAY + 10 * i, DAY + 10 * i + 9, i + 1)), 50);
  });
  assert.equal(read.length, 3);
  assert.equal(said(/set aside/).length, 2);
  assert.deepEqual(seqs(), [MANY - 2]);
  assert.equal(catalog.lastKey('vehicle'), DAY + 10 * (MANY - 3) + 9);
  assert.equal(catalog.nextSeq('vehicle'), MANY + 1);
  await catalog.load();
  assert.equal(catalog.totals('vehicle').files, MANY - 2);
});

test('a file that turns out to be corrupt while loading is set aside; the others are there', async (t) => {
  const { catalog, dataDir, seqs, said } = await opened(t, MANY, (dataDir) =>
    files.truncate(join(dataDir, pathOf(DAY + 70, DAY + 79, 8)), 50),
  );
  assert.deepEqual(said(/set aside/), []);
  await catalog.load();
  assert.deepEqual(
    seqs(),
    Array.from({ length: MANY }, (_, i) => i + 1).filter((seq) => seq !== 8),
  );
  assert.equal(said(/set aside/).length, 1);
  await files.access(join(dataDir, `${pathOf(DAY + 70, DAY + 79, 8)}.corrupt`));
});

test('a temporary file is removed before anything is loaded, and its number not used again', async (t) => {
  const name = `${pathOf(DAY + 75, DAY + 82, 900)}.tmp`;
  const { catalog, dataDir } = await opened(t, MANY, (dataDir) => put(dataDir, name, Buffer.alloc(100)));
  await assert.rejects(files.access(join(dataDir, name)), { code: 'ENOENT' });
  assert.equal(catalog.nextSeq('vehicle'), 901);
  await catalog.load();
  assert.equal(catalog.totals('vehicle').files, MANY);
});

test('of a merged file and what it was made of only one is ever listed', async (t) => {
  const { catalog, dataDir, hook, seqs, said } = await opened(t, MANY, async (dataDir) => {
    await put(dataDir, pathOf(DAY + 30, DAY + 59, 700), merged(30, 59, [nameOf(3), nameOf(4), nameOf(5)]));
    // One of its sources is beyond its keys, one not its own, one does not exist.
    await put(
      dataDir,
      pathOf(DAY + 90, DAY + 99, 701),
      merged(90, 99, [nameOf(9), nameOf(20), '../x', 'y.parquet']),
    );
  });
  const seen: number[] = [];
  hook.before = async () => {
    seen.push(catalog.files('vehicle', [rangeOf(30, 59)]).length);
  };
  await catalog.load();
  assert.deepEqual([...new Set(seen)], [0]);
  const gone = [4, 5, 6, 10];
  assert.deepEqual(
    seqs().sort((a, b) => a - b),
    [...Array.from({ length: MANY }, (_, i) => i + 1).filter((seq) => !gone.includes(seq)), 700, 701],
  );
  assert.equal(said(/another one was made of/).length, 1);
  await catalog.idle();
  const left = await files.readdir(join(dataDir, 'streams/vehicle/date=2024-11-23'));
  assert.deepEqual(
    gone.map((seq) => left.includes(nameOf(seq - 1))),
    gone.map(() => false),
  );
  assert.equal(left.length, MANY - gone.length + 2);
});

test('a merged file that is corrupt gives way to what it was made of', async (t) => {
  const { catalog, seqs } = await opened(t, MANY, (dataDir) =>
    put(
      dataDir,
      pathOf(DAY + 30, DAY + 59, 700),
      merged(30, 59, [nameOf(3), nameOf(4), nameOf(5)]).subarray(0, 90),
    ),
  );
  await catalog.load();
  assert.deepEqual(
    seqs(),
    Array.from({ length: MANY }, (_, i) => i + 1),
  );
});

test('loading stops when the catalogue is closed', async (t) => {
  const { catalog, hook, read } = await opened(t, MANY);
  let closed: Promise<void> | null = null;
  hook.before = async () => {
    if (read.length === 100) closed = catalog.close();
  };
  await catalog.load();
  await closed!;
  assert.ok(read.length < MANY, `${read.length}`);
  assert.ok(catalog.loading('vehicle') > 0);
  assert.deepEqual(await catalog.retain('vehicle', { ...NONE, maxFiles: 1 }, DAY), []);
});

test('at every moment a file is listed or among those that are loading', async (t) => {
  const random = generator(11);
  const { catalog, hook } = await opened(t, MANY);
  let looked = 0;
  hook.before = async () => {
    const from = Math.floor(random() * 10 * MANY);
    const [first, second] = [
      rangeOf(from, from + Math.floor(random() * 300)),
      rangeOf(from + 400, from + 400),
    ];
    const ranges = random() < 0.5 ? [first] : [first, second];
    const expected = Array.from({ length: MANY }, (_, i) => rangeOf(10 * i, 10 * i + 9)).filter(
      ({ start, end }) => ranges.some((range) => range.start <= end && range.end >= start),
    );
    assert.equal(
      catalog.files('vehicle', ranges).length + catalog.loading('vehicle', ranges),
      expected.length,
    );
    assert.equal(catalog.totals('vehicle').files + catalog.loading('vehicle'), MANY);
    looked += 1;
  };
  await catalog.load();
  assert.equal(looked, MANY - 1);
});

test('what is deleted to make room is the oldest of all, not of those that are loaded', async (t) => {
  const { catalog } = await opened(t, MANY);
  for (const seq of [1, 2]) {
    const oldest = await catalog.oldest('vehicle');
    assert.equal(oldest?.seq, seq);
    assert.deepEqual([await catalog.delete(oldest!, DAY), await catalog.delete(oldest!, DAY)], [true, false]);
  }
  assert.equal(catalog.totals('vehicle').files, MANY - 2);
});

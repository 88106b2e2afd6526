import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parquetMetadata } from 'hyparquet';
import { Catalog } from '../../src/catalog/catalog.js';
import type { FileEntry } from '../../src/catalog/entry.js';
import { merge } from '../../src/merge/merging.js';
import type { Disk } from '../../src/recorder/disk.js';
import { systemDisk } from '../../src/recorder/disk.js';
import { fileMetadata } from '../../src/recorder/files/metadata.js';
import { parquetEncoder } from '../../src/recorder/files/parquet.js';
import { Room } from '../../src/recorder/room.js';
import { generator } from '../catalog/generator.js';
import { DAY, dataFolder, foreignParquet, memoryLog, parquet, pathOf, put } from '../catalog/parquet.js';
import { encoded } from '../recorder/encoded.js';
import { sample, sourceOf } from '../ring/samples.js';
import { unsealed } from '../seal/fixture.js';
import { keyringOf } from '../seal/keys.js';
import {
  anyRoom,
  connected,
  duckMessages,
  messagesOf,
  quickDisk,
  record,
  SEALING,
  STREAM,
  samples,
} from './fixture.js';

const MIB = 1024 * 1024;

function contextOf(dataDir: string, disk: Disk = quickDisk) {
  return {
    dataDir,
    version: '1.2.3',
    fs: files,
    disk,
    room: anyRoom,
    encoder: parquetEncoder,
    sealing: SEALING,
  };
}

const jobOf = (entries: readonly FileEntry[], rawBytes = MIB) => ({
  stream: STREAM,
  compression: 'zstd' as const,
  encrypted: false,
  rawBytes,
  files: entries,
});

async function reopened(dataDir: string): Promise<Catalog> {
  const catalog = await Catalog.open({ dataDir, fs: files, log: memoryLog() });
  await catalog.load();
  await catalog.idle();
  return catalog;
}

const onDisk = async (dataDir: string) =>
  (await files.readdir(join(dataDir, 'streams/vehicle/date=2024-11-23'))).sort();

test('a merged file has all rows, in order, and DuckDB reads them', async (t) => {
  const dataDir = await dataFolder(t);
  const random = generator(3);
  const lists = [
    ...samples(random, 30),
    [
      sample(random, DAY + 10_000_000, 70_000, sourceOf('t'.repeat(65_000), null)),
      sample(random, DAY + 10_000_001, 0, sourceOf('__proto__', 'constructor')),
      sample(random, DAY + 10_000_002, 400_000, sourceOf('€/日本/😀', '\uFEFFbom')),
    ],
  ];
  const entries = lists.map((rows, i) => record(dataDir, rows, { seq: i + 1 }));
  const report = await merge(contextOf(dataDir), jobOf(entries));
  assert.equal(report.kind, 'merged');
  if (report.kind !== 'merged') return;
  const { file, count } = report;
  assert.equal(count, 31);
  const { bytes, rawBytes, sha256, ...known } = file;
  assert.deepEqual(known, {
    name: `${entries[0]!.firstKey}~${DAY + 10_000_002}_31.parquet`,
    path: pathOf(entries[0]!.firstKey, DAY + 10_000_002, 31),
    firstKey: entries[0]!.firstKey,
    lastKey: DAY + 10_000_002,
    seq: 31,
    rows: 153,
  });
  assert.equal(bytes, (await files.stat(join(dataDir, file.path))).size);
  assert.ok(rawBytes > 500_000 && sha256.length === 64);
  assert.deepEqual(await duckMessages([join(dataDir, file.path)]), messagesOf(lists));
});

test('it has the schema, pages, statistics and metadata that the recorder would have written', async (t) => {
  const dataDir = await dataFolder(t);
  const lists = samples(generator(4), 20, 200);
  const entries = lists.map((rows, i) => record(dataDir, rows, { seq: i + 1 }));
  const report = await merge(contextOf(dataDir), jobOf(entries));
  assert.ok(report.kind === 'merged');
  const { file } = report;
  const clock = { open: { key: file.firstKey }, close: { key: file.lastKey }, corrections: [] };
  const origin = { stream: STREAM, bootId: 'boot-1', clock: JSON.stringify(clock), version: '1.2.3' };
  const metadata = fileMetadata(origin, file);
  metadata.set('mqtt-stream.merged', JSON.stringify(entries.map(({ name }) => name)));
  const expected = encoded(lists.flat(), 'zstd', metadata);
  const found = readFileSync(join(dataDir, file.path));
  assert.equal(found.length, expected.length);
  const described = (bytes: Uint8Array) => {
    const footer = parquetMetadata(Uint8Array.from(bytes).buffer);
    // Their order is not fixed.
    footer.key_value_metadata!.sort((a, b) => (a.key < b.key ? -1 : 1));
    return footer;
  };
  assert.deepEqual(described(found), described(expected));
  const end = found.length - described(found).metadata_length - 8;
  assert.ok(found.subarray(0, end).equals(expected.subarray(0, end)));
});

test('the metadata tell of the clock over all files, and DuckDB finds what it was made of', async (t) => {
  const dataDir = await dataFolder(t);
  const [first, second] = samples(generator(5), 2);
  const clocks = [
    {
      open: { key: 1 },
      close: { key: 2 },
      corrections: [
        { from: 0, offset: 5 },
        { from: 7, offset: 6 },
      ],
    },
    {
      open: { key: 3 },
      close: { key: 4 },
      corrections: [
        { from: 7, offset: 6 },
        { from: 9, offset: 0 },
      ],
    },
  ];
  const entries = [
    record(dataDir, first!, { seq: 1, bootId: 'boot-1', clock: clocks[0]! }),
    record(dataDir, second!, { seq: 2, bootId: 'boot-2', clock: clocks[1]! }),
  ];
  const report = await merge(contextOf(dataDir), jobOf(entries));
  assert.ok(report.kind === 'merged');
  const path = join(dataDir, report.file.path);
  const { key_value_metadata: pairs, row_groups } = parquetMetadata(
    Uint8Array.from(readFileSync(path)).buffer,
  );
  const ours = new Map(pairs!.map(({ key, value }) => [key, value]));
  assert.equal(ours.get('mqtt-stream.bootId'), 'boot-2');
  assert.deepEqual(JSON.parse(ours.get('mqtt-stream.clock')!), {
    open: { key: 1 },
    close: { key: 4 },
    corrections: [
      { from: 0, offset: 5 },
      { from: 7, offset: 6 },
      { from: 9, offset: 0 },
    ],
  });
  assert.equal(row_groups.length, 1);
  const duck = await connected();
  const found = await duck.runAndReadAll(
    `SELECT decode(value) FROM parquet_kv_metadata('${path}') WHERE key = 'mqtt-stream.merged'`,
  );
  assert.deepEqual(
    JSON.parse(found.getRows()[0]![0] as string),
    entries.map(({ name }) => name),
  );
});

test('only as many files as fit are merged; one that is too large beside the next stays', async (t) => {
  const dataDir = await dataFolder(t);
  const random = generator(6);
  const lists = samples(random, 6, 10, DAY, 2000);
  const entries = lists.map((rows, i) => record(dataDir, rows, { seq: i + 1, compression: 'none' }));
  const raw = (count: number) =>
    entries.slice(0, count).reduce((sum, { rawBytes }) => sum + rawBytes, 0) + count * 1000;
  const report = await merge(contextOf(dataDir), jobOf(entries, raw(3)));
  assert.ok(report.kind === 'merged' && report.count >= 2 && report.count < 6);
  assert.deepEqual(
    await duckMessages([join(dataDir, report.file.path)]),
    messagesOf(lists.slice(0, report.count)),
  );
  assert.ok(report.file.rawBytes <= raw(3));
  const before = await onDisk(dataDir);
  const alone = await merge(contextOf(dataDir), jobOf(entries.slice(4), raw(1)));
  assert.deepEqual(alone, {
    kind: 'unfit',
    path: entries[4]!.path,
    reason: 'with the next one it is too large',
  });
  assert.deepEqual(await onDisk(dataDir), before);
});

test('a file that is not what the catalogue has is refused by name, and nothing is written', async (t) => {
  const dataDir = await dataFolder(t);
  const entries = samples(generator(7), 3).map((rows, i) => record(dataDir, rows, { seq: i + 1 }));
  const second = entries[1]!;
  const whole = readFileSync(join(dataDir, second.path));
  const torn = Buffer.from(whole);
  torn.fill(0xff, 60, 200);
  const cases: [Uint8Array | null, RegExp][] = [
    [null, /ENOENT/],
    [whole.subarray(0, 300), /PAR1/],
    [torn, /./],
    [foreignParquet(second.firstKey, second.lastKey), /no file of the recorder/],
    [parquet({ firstKey: second.firstKey, lastKey: second.lastKey }), /column client_id/],
  ];
  const before = await onDisk(dataDir);
  for (const [bytes, reason] of cases) {
    if (bytes === null) await files.rm(join(dataDir, second.path));
    else await put(dataDir, second.path, bytes);
    const report = await merge(contextOf(dataDir), jobOf(entries));
    assert.ok(report.kind === 'unfit');
    assert.equal(report.path, second.path);
    assert.match(report.reason, reason);
  }
  const shorter = { ...second, rows: 4 };
  await put(dataDir, second.path, whole);
  const report = await merge(contextOf(dataDir), jobOf([entries[0]!, shorter, entries[2]!]));
  assert.ok(report.kind === 'unfit' && /5 rows/.test(report.reason));
  assert.deepEqual(await onDisk(dataDir), before);
});

/** A disk that ends the process before its operation number `crashAt`; `operations` counts them. */
function crashing(crashAt: number): { disk: Disk; operations: () => number; log: string[] } {
  let count = 0;
  const log: string[] = [];
  const disk = Object.fromEntries(
    Object.entries(systemDisk).map(([name, operation]) => [
      name,
      (...args: never[]) => {
        // From then on nothing happens any more: whatever is tried to clean up is not done either.
        if (count++ >= crashAt) throw new Error('the process ended');
        log.push(name);
        return (operation as (...args: never[]) => unknown)(...args);
      },
    ]),
  ) as unknown as Disk;
  return { disk, operations: () => count, log };
}

test('after a crash at any step each row is there exactly once, and nothing else', async (t) => {
  const lists = samples(generator(8), 6);
  const rows = messagesOf(lists);
  let steps = Number.POSITIVE_INFINITY;
  const seen = new Set<number>();
  for (let crashAt = 0; crashAt <= steps; crashAt++) {
    const dataDir = await dataFolder(t);
    const entries = lists.map((list, i) => record(dataDir, list, { seq: i + 1 }));
    const { disk, operations } = crashing(crashAt);
    const report = await merge(contextOf(dataDir, disk), jobOf(entries));
    if (report.kind === 'merged') steps = Math.min(steps, operations());
    // Then some of the sources may be gone already.
    const gone = report.kind === 'merged' ? crashAt % (entries.length + 1) : 0;
    for (const { path } of entries.slice(0, gone)) await files.unlink(join(dataDir, path));

    const catalog = await reopened(dataDir);
    const listed = catalog.files(STREAM);
    seen.add(listed.length);
    assert.deepEqual(await duckMessages(listed.map(({ path }) => join(dataDir, path))), rows, `${crashAt}`);
    assert.equal(catalog.totals(STREAM).rows, rows.length);
    assert.deepEqual(await onDisk(dataDir), listed.map(({ name }) => name).sort(), `${crashAt}`);
    assert.equal(catalog.nextSeq(STREAM), 7);
    assert.equal(catalog.lastKey(STREAM), rows.at(-1)!.key);
  }
  assert.ok(steps > 8, `${steps}`);
  assert.deepEqual([...seen].sort(), [1, 6]);
});

test('after a crash with any part of the sources deleted only the merged file is there', async (t) => {
  const lists = samples(generator(9), 4);
  for (let left = 0; left < 2 ** lists.length; left++) {
    const dataDir = await dataFolder(t);
    const entries = lists.map((list, i) => record(dataDir, list, { seq: i + 1 }));
    const report = await merge(contextOf(dataDir), jobOf(entries));
    assert.ok(report.kind === 'merged');
    for (const [i, { path }] of entries.entries()) {
      if ((left & (1 << i)) === 0) await files.unlink(join(dataDir, path));
    }
    const catalog = await reopened(dataDir);
    assert.deepEqual(
      catalog.files(STREAM).map(({ name, rows }) => [name, rows]),
      [[report.file.name, 20]],
    );
    assert.deepEqual(await onDisk(dataDir), [report.file.name]);
  }
});

test('a file made of merged ones takes their place as well, whatever a crash has left of three generations', async (t) => {
  const lists = samples(generator(10), 4);
  const rows = messagesOf(lists);
  for (let left = 0; left < 2 ** 6; left++) {
    const dataDir = await dataFolder(t);
    const entries = lists.map((list, i) => record(dataDir, list, { seq: i + 1 }));
    const made = async (some: readonly FileEntry[]) => {
      const report = await merge(contextOf(dataDir), jobOf(some));
      assert.ok(report.kind === 'merged');
      return { ...report.file, stream: STREAM };
    };
    const pairs = [await made(entries.slice(0, 2)), await made(entries.slice(2))];
    await made(pairs);
    for (const [i, { path }] of [...entries, ...pairs].entries()) {
      if ((left & (1 << i)) === 0) await files.unlink(join(dataDir, path));
    }
    const catalog = await reopened(dataDir);
    const listed = catalog.files(STREAM);
    // Sources of a pair that is gone were deleted before it: then nobody says any more what they were for.
    const orphaned = [0, 1].some((pair) => (left & (16 << pair)) === 0 && (left & (3 << (2 * pair))) !== 0);
    if (orphaned) continue;
    assert.deepEqual(await duckMessages(listed.map(({ path }) => join(dataDir, path))), rows);
    assert.equal(listed.length, 1);
  }
});

test('a disk that fails at any step leaves nothing visible, and the next attempt succeeds', async (t) => {
  const lists = samples(generator(11), 3);
  for (const failing of ['open', 'write', 'sync', 'rename', 'close', 'makeFolder'] as const) {
    const dataDir = await dataFolder(t);
    const entries = lists.map((list, i) => record(dataDir, list, { seq: i + 1 }));
    let calls = 0;
    const broken: Disk = {
      ...systemDisk,
      [failing]: (...args: never[]) => {
        if (calls++ === 0) throw new Error('ENOSPC: no space left on device');
        return (systemDisk[failing] as (...args: never[]) => unknown)(...args);
      },
    };
    const before = await onDisk(dataDir);
    const report = await merge(contextOf(dataDir, broken), jobOf(entries));
    assert.deepEqual(report, { kind: 'failed', error: 'ENOSPC: no space left on device' }, failing);
    assert.deepEqual(await onDisk(dataDir), before, failing);
    assert.equal((await merge(contextOf(dataDir, broken), jobOf(entries))).kind, 'merged', failing);
  }
});

test('what is to be left free of the disk stays free', async (t) => {
  const dataDir = await dataFolder(t);
  const entries = samples(generator(12), 3).map((rows, i) => record(dataDir, rows, { seq: i + 1 }));
  let free = 128 * MIB + 4000;
  const disk = { ...quickDisk, free: () => free };
  const before = await onDisk(dataDir);
  const context = { ...contextOf(dataDir, disk), room: new Room(disk, dataDir, 2000) };
  const report = await merge(context, jobOf(entries));
  assert.ok(report.kind === 'failed' && /2000/.test(report.error));
  assert.deepEqual(await onDisk(dataDir), before);
  free += 100_000;
  assert.equal((await merge(context, jobOf(entries))).kind, 'merged');
});

for (const [what, encryptedOnes, encrypted, sealed] of [
  ['encrypted files', [true, true, true], true, true],
  ['what was encrypted stays so, beside what was not', [false, true, false], false, true],
  ['what was not is now', [false, false, false], true, true],
  ['what was not is not', [false, false, false], false, false],
] as const) {
  test(`merged, ${what}`, async (t) => {
    const dataDir = await dataFolder(t);
    const lists = samples(generator(13), 3);
    const entries = lists.map((rows, i) =>
      record(dataDir, rows, { seq: i + 1, encrypted: encryptedOnes[i]! }),
    );
    const report = await merge(contextOf(dataDir), { ...jobOf(entries), encrypted });
    assert.ok(report.kind === 'merged' && report.count === 3);
    const { name, path } = report.file;
    assert.equal(name.endsWith('.parquet.enc'), sealed);
    const open = join(dataDir, 'open.parquet');
    const bytes = await files.readFile(join(dataDir, path));
    await files.writeFile(open, sealed ? await unsealed(bytes, SEALING.keyring) : bytes);
    assert.deepEqual(await duckMessages([open]), messagesOf(lists));

    // A crash may leave both: the next start knows which counts.
    const catalog = await Catalog.open({ dataDir, fs: files, log: memoryLog(), keyring: SEALING.keyring });
    await catalog.load();
    await catalog.idle();
    assert.deepEqual(
      catalog.files(STREAM).map((file) => file.name),
      [name],
    );
    assert.deepEqual(await onDisk(dataDir), [name]);
  });
}

test('a file whose key is not there is not merged', async (t) => {
  const dataDir = await dataFolder(t);
  const entries = samples(generator(14), 2).map((rows, i) =>
    record(dataDir, rows, { seq: i + 1, encrypted: true }),
  );
  const context = { ...contextOf(dataDir), sealing: { keyring: keyringOf('b'), sentOpen: false } };
  const report = await merge(context, jobOf(entries));
  assert.ok(report.kind === 'unfit' && /needs the encryption key "a"/.test(report.reason));
});

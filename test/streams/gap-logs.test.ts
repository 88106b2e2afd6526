import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.js';
import { fileName, streamFolder } from '../../src/catalog/naming.js';
import { readGapRecord } from '../../src/exchange/gap-record.js';
import type { Gap, GapReason } from '../../src/exchange/gaps.js';
import { Stream, type WhenFull } from '../../src/exchange/stream.js';
import { GapLogs, type GapLogsFiles, type GapLogsOptions } from '../../src/streams/gap-logs.js';
import { MemoryLog, temporaryFolder } from '../app/app-fixture.js';

const EVERYTHING = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];
const FOLDER = streamFolder('a');

function gap(start: number, end: number, reason: GapReason, messages: number | null = null): Gap {
  return { start, end, messages, reason };
}

/** The last segment that was left, or none. */
const LAST = { unreadable: false, left: 0 };

interface Life {
  readonly afterCrash?: boolean;
  readonly lastKeyBefore?: number;
  readonly whenFull?: WhenFull;
  /** First and last keys of the files that it finds. */
  readonly filed?: readonly (readonly [number, number])[];
  /** Other than those of the system. */
  readonly fs?: Partial<GapLogsFiles>;
}

/** A folder in which one life of a stream follows the other; `gapsOf` are those that answers would have. */
async function world(t: TestContext) {
  const dataDir = await temporaryFolder(t);
  const path = join(dataDir, FOLDER, 'gaps.log');
  const log = new MemoryLog();
  let seq = 0;
  /** The stream does not begin. */
  const offline = async (how: Life = {}) => {
    const opened = await open(how);
    opened.gapLogs.leave('a');
    return opened;
  };
  const open = async ({ afterCrash = false, lastKeyBefore = 0, filed = [], fs = {} }: Life) => {
    const catalog = await Catalog.open({ dataDir, fs: files, log: log.log });
    const add = (firstKey: number, lastKey: number) => {
      const name = fileName(firstKey, lastKey, ++seq);
      const entry = { stream: 'a', name, path: `${FOLDER}/${name}`, firstKey, lastKey, seq };
      catalog.add({ ...entry, rows: 1, bytes: 1, sha256: null, rawBytes: 1 });
    };
    for (const [firstKey, lastKey] of filed) add(firstKey, lastKey);
    const options: GapLogsOptions = {
      dataDir,
      catalog,
      files: { ...files, ...fs },
      log: log.log,
      afterCrash,
      lastKeyBefore,
    };
    return { add, catalog, gapLogs: await GapLogs.open(options) };
  };
  const life = async (how: Life = {}) => {
    const { whenFull = 'flush' } = how;
    const { add, catalog, gapLogs } = await open(how);
    const ring = { messages: 8, bytes: 4096, whenFull };
    const stream = new Stream({ name: 'a', topics: ['#'], exclude: [], ring }, gapLogs.of('a'));
    gapLogs.begin(stream);
    return { add, catalog, gapLogs, stream, gaps: () => stream.gapsWithin(EVERYTHING) };
  };
  return { dataDir, life, log, offline, path };
}

test('what is missing stays missing over restarts, reason by reason', async (t) => {
  const { life, path } = await world(t);
  const first = await life();
  const { gaps } = first.stream;
  gaps.add(5, 'dropped', false);
  gaps.add(6, 'dropped', true);
  gaps.add(9, 'rejected', false);
  gaps.add(10, 'too-large', false);
  gaps.insert(gap(12, 14, 'lost', 3));
  const known = first.gaps();
  assert.equal(await first.gapLogs.close(), true);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  for (let i = 0; i < 3; i++) {
    const next = await life({ lastKeyBefore: 20 });
    assert.deepEqual(next.gaps(), known);
    assert.equal(await next.gapLogs.close(), true);
  }
});

test('a crash is on the disk as soon as it is known, and what is recovered makes it smaller', async (t) => {
  const { life, path } = await world(t);
  const crashed = await life({ afterCrash: true, lastKeyBefore: 100, filed: [[1, 40]] });
  crashed.stream.recovering = true;
  assert.deepEqual(crashed.gaps(), [gap(41, 100, 'being-recovered')]);
  await crashed.gapLogs.close();
  assert.deepEqual(readGapRecord(await readFile(path, 'utf8')).gaps, [gap(41, 100, 'crash')]);

  // It crashed again before all was recovered, and wrote new messages before.
  const filed: [number, number][] = [
    [1, 40],
    [41, 60],
    [120, 140],
  ];
  const again = await life({ afterCrash: true, lastKeyBefore: 200, filed });
  assert.deepEqual(again.gaps(), [gap(41, 100, 'crash'), gap(141, 200, 'crash')]);
  again.add(61, 90);
  again.add(141, 150);
  again.gapLogs.restored('a', LAST);
  const left = [gap(91, 100, 'crash'), gap(151, 200, 'crash')];
  assert.deepEqual(again.gaps(), left);
  // Once more changes nothing.
  again.gapLogs.restored('a', LAST);
  again.add(201, 300);
  again.gapLogs.restored('a', LAST);
  assert.deepEqual(again.gaps(), left);
  await again.gapLogs.close();
  assert.deepEqual((await life({ lastKeyBefore: 300 })).gaps(), left);
});

test('a crash of which all is recovered is no gap', async (t) => {
  const { life } = await world(t);
  const { add, gapLogs, gaps } = await life({ afterCrash: true, lastKeyBefore: 100 });
  assert.deepEqual(gaps(), [gap(0, 100, 'crash')]);
  add(0, 100);
  gapLogs.restored('a', LAST);
  assert.deepEqual(gaps(), []);
});

test('a segment that could not be read leaves it open what is missing before the last one that could', async (t) => {
  const { life } = await world(t);
  const { add, gapLogs, gaps } = await life({
    afterCrash: true,
    lastKeyBefore: 100,
    filed: [[1, 40]],
  });
  add(60, 80);
  gapLogs.restored('a', { ...LAST, unreadable: true });
  assert.deepEqual(gaps(), [gap(41, 80, 'unknown'), gap(81, 100, 'crash')]);
});

test('what could not be read is on the disk at once: the next process does not find it again', async (t) => {
  const { life } = await world(t);
  const first = await life({ afterCrash: true, lastKeyBefore: 100, filed: [[1, 40]] });
  first.gapLogs.restored('a', { unreadable: true, left: 2 });
  await first.gapLogs.close();
  const next = await life({
    afterCrash: true,
    lastKeyBefore: 200,
    filed: [
      [1, 40],
      [60, 80],
    ],
  });
  next.add(120, 130);
  next.gapLogs.restored('a', LAST);
  assert.deepEqual(next.gaps(), [gap(41, 100, 'unknown'), gap(81, 100, 'crash'), gap(131, 200, 'crash')]);
});

for (const whenFull of ['flush', 'drop-oldest'] as const) {
  test(`${whenFull}: without a start, what is missing is recorded, and the crash is left to the start`, async (t) => {
    const { offline, life } = await world(t);
    const first = await life({ whenFull });
    first.stream.gaps.settle(50);
    await first.gapLogs.close();
    const filed: [number, number][] = [[1, 40]];
    const { gapLogs, add } = await offline({ afterCrash: true, lastKeyBefore: 100, filed });
    gapLogs.restored('a', { unreadable: true, left: 1 });
    add(60, 80);
    gapLogs.restored('a', LAST);
    await gapLogs.close();
    const { gaps, gapLogs: next } = await life({
      whenFull,
      afterCrash: true,
      lastKeyBefore: 120,
      filed: [...filed, [60, 80]],
    });
    next.restored('a', LAST);
    assert.deepEqual(gaps(), [gap(51, 80, 'unknown'), gap(81, 120, 'crash')]);
  });
}

test('without a start: rows that are missing before those of a file', async (t) => {
  const { offline, life } = await world(t);
  const { gapLogs, add } = await offline({ afterCrash: true, lastKeyBefore: 100, filed: [[1, 40]] });
  add(60, 80);
  gapLogs.restored('a', { unreadable: true, left: 0 });
  await gapLogs.close();
  const { gaps, gapLogs: next } = await life({
    afterCrash: true,
    lastKeyBefore: 120,
    filed: [
      [1, 40],
      [60, 80],
    ],
  });
  next.restored('a', LAST);
  assert.deepEqual(gaps(), [gap(41, 80, 'unknown'), gap(81, 120, 'crash')]);
});

test('without a start: a record with a torn end may be written, and what it did not tell is told', async (t) => {
  const { offline, life, path } = await world(t);
  const first = await life();
  first.stream.gaps.settle(50);
  await first.gapLogs.close();
  await writeFile(path, '01234567 {"settled":80,"forg', { flag: 'a' });
  const { gapLogs } = await offline({ afterCrash: true, lastKeyBefore: 100, filed: [[1, 90]] });
  gapLogs.restored('a', LAST);
  await gapLogs.close();
  const { gaps, gapLogs: next } = await life({ afterCrash: true, lastKeyBefore: 100, filed: [[1, 90]] });
  next.restored('a', LAST);
  assert.deepEqual(gaps(), [gap(51, 90, 'unknown'), gap(91, 100, 'crash')]);
});

test('without a start and a crash: what was left and cannot be read may be all behind the files', async (t) => {
  const { offline, life } = await world(t);
  const { gapLogs } = await offline({ lastKeyBefore: 100, filed: [[1, 40]] });
  gapLogs.restored('a', { unreadable: true, left: 0 });
  await gapLogs.close();
  const { gaps, gapLogs: next } = await life({ lastKeyBefore: 100, filed: [[1, 40]] });
  next.restored('a', LAST);
  assert.deepEqual(gaps(), [gap(41, 100, 'unknown')]);
});

for (const whenFull of ['drop-oldest', 'reject'] as const) {
  test(`${whenFull}: what was dropped just before a crash may not be on record, and that is said`, async (t) => {
    const { life } = await world(t);
    const first = await life({ whenFull });
    first.stream.gaps.settle(50);
    await first.gapLogs.close();
    const { gapLogs, gaps } = await life({
      whenFull,
      afterCrash: true,
      lastKeyBefore: 100,
      filed: [
        [1, 50],
        [51, 90],
      ],
    });
    gapLogs.restored('a', LAST);
    assert.deepEqual(gaps(), [gap(51, 90, 'unknown'), gap(91, 100, 'crash')]);
  });
}

test('a torn end: all it may have held lies behind what is settled', async (t) => {
  const { life, log, path } = await world(t);
  const first = await life();
  first.stream.gaps.add(5, 'too-large', false);
  first.stream.gaps.settle(50);
  await first.gapLogs.close();
  await writeFile(path, '01234567 {"settled":80,"forg', { flag: 'a' });
  const { gapLogs, gaps } = await life({ afterCrash: true, lastKeyBefore: 100, filed: [[1, 90]] });
  gapLogs.restored('a', LAST);
  const known = [gap(5, 5, 'too-large', 1), gap(51, 90, 'unknown'), gap(91, 100, 'crash')];
  assert.deepEqual(gaps(), known);
  await gapLogs.close();
  // It was written anew.
  assert.deepEqual(readGapRecord(await readFile(path, 'utf8')).torn, false);
  assert.deepEqual((await life({ lastKeyBefore: 100 })).gaps(), known);
  assert.deepEqual(log.matching(/damaged/), []);
});

test('of a damaged record a copy is kept, and whether others were there is not known', async (t) => {
  const { dataDir, life, log, path } = await world(t);
  const first = await life();
  first.stream.gaps.add(5, 'dropped', false);
  await first.gapLogs.close();
  const second = await life({ lastKeyBefore: 10 });
  second.stream.gaps.add(15, 'dropped', false);
  await second.gapLogs.close();
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace('"start":5', '"start":6'));
  const known = [gap(0, 20, 'unknown'), gap(15, 15, 'dropped', 1)];
  const third = await life({ lastKeyBefore: 20 });
  assert.deepEqual(third.gaps(), known);
  await third.gapLogs.close();
  assert.equal(log.matching(/a damaged record of gaps is replaced; there is a copy of it/).length, 1);
  assert.deepEqual((await readdir(join(dataDir, FOLDER))).sort(), ['gaps.log', 'gaps.log.corrupt']);
  assert.deepEqual((await life({ lastKeyBefore: 20 })).gaps(), known);
});

test('a record that the disk refuses is not taken for none', async (t) => {
  const { life, log } = await world(t);
  const first = await life();
  first.stream.gaps.add(5, 'dropped', false);
  await first.gapLogs.close();
  const refuse = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
  const refused = await life({ lastKeyBefore: 20, fs: { readFile: refuse, open: refuse } });
  assert.deepEqual(refused.gaps(), [gap(0, 20, 'unknown')]);
  assert.equal(log.matching(/the record of gaps cannot be read/).length, 1);
  assert.equal(await refused.gapLogs.close(), false);
  const known = [gap(5, 5, 'dropped', 1)];
  assert.deepEqual(
    (await life({ lastKeyBefore: 20 })).gaps(),
    known,
    'it could not write its own, and moved none',
  );
  const replaced = await life({ lastKeyBefore: 20, fs: { readFile: refuse } });
  assert.equal(await replaced.gapLogs.close(), true);
  assert.deepEqual((await life({ lastKeyBefore: 20 })).gaps(), [gap(0, 20, 'unknown')]);
});

test('a file that cannot be read is a gap, until one with its keys is there again', async (t) => {
  const { dataDir, life } = await world(t);
  const day = join(dataDir, FOLDER, 'date=1970-01-01');
  await mkdir(day, { recursive: true });
  await writeFile(join(day, '5~9_1.parquet'), 'no Parquet');
  const first = await life({ lastKeyBefore: 20 });
  assert.deepEqual(first.gaps(), [gap(5, 9, 'unreadable')]);
  await first.gapLogs.close();
  assert.deepEqual(await readdir(day), ['5~9_1.parquet.corrupt']);
  // A file that is made of its neighbours has its keys, too.
  const second = await life({ lastKeyBefore: 20, filed: [[1, 15]] });
  assert.deepEqual(second.gaps(), [gap(5, 9, 'unreadable')]);
  await second.catalog.drop(second.catalog.files('a')[0]!, 'it is gone');
  assert.deepEqual(second.gaps(), [gap(1, 15, 'unreadable', 1), gap(5, 9, 'unreadable')]);
  await second.gapLogs.close();
});

test('gaps that are older than what retention left are none', async (t) => {
  const { life } = await world(t);
  const first = await life();
  for (const key of [5, 15, 25]) first.stream.gaps.add(key, 'dropped', false);
  first.stream.gaps.forget(15);
  first.stream.gaps.insert(gap(3, 4, 'unreadable'));
  assert.deepEqual(first.gaps(), [gap(25, 25, 'dropped', 1)]);
  await first.gapLogs.close();
  assert.deepEqual((await life({ lastKeyBefore: 30 })).gaps(), [gap(25, 25, 'dropped', 1)]);
});

test('a stream of a version that kept no record: what its files have is known', async (t) => {
  const { life } = await world(t);
  const { gaps } = await life({ afterCrash: true, lastKeyBefore: 100, filed: [[1, 40]], whenFull: 'reject' });
  assert.deepEqual(gaps(), [gap(41, 100, 'crash')]);
});

test('what was being refused when it crashed may be more than the record tells', async (t) => {
  const { life } = await world(t);
  const first = await life();
  first.stream.gaps.settle(50);
  first.stream.gaps.add(55, 'too-large', false);
  await first.gapLogs.close();
  const { gapLogs, gaps } = await life({ afterCrash: true, lastKeyBefore: 100, filed: [[1, 90]] });
  gapLogs.restored('a', LAST);
  const known = [gap(51, 90, 'unknown'), gap(55, 55, 'too-large', 1), gap(91, 100, 'crash')];
  assert.deepEqual(gaps(), known);
  await gapLogs.close();
  // A crash of which nothing is missing for sure is nothing that grows.
  const next = await life({ afterCrash: true, lastKeyBefore: 200, filed: [[1, 150]] });
  next.gapLogs.restored('a', LAST);
  assert.deepEqual(next.gaps(), [...known, gap(151, 200, 'crash')]);
});

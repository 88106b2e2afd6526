import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parquetMetadata } from 'hyparquet';
import type { StreamCount } from '../../src/recorder/protocol.js';
import { generator } from '../catalog/generator.js';
import { whole } from '../ring/samples.js';
import { stream } from './rig.js';
import { Started } from './started.js';

test('a flush writes what is in the ring to a whole file, and commits it before it resolves', async (t) => {
  const started = await Started.start(t);
  const writer = started.add('vehicle');
  const keys = started.publish(writer, 100);
  const file = await started.recorder.flush('vehicle', 'request');
  assert.equal(writer.committed, 100);
  assert.deepEqual(
    started.commits.map((commit) => [commit.stream, commit.upTo, commit.info.reason]),
    [['vehicle', 100, 'request']],
  );
  assert.deepEqual(started.commits[0]!.file, file);
  const bytes = await readFile(join(started.dataDir, file!.path));
  assert.equal(file!.bytes, bytes.length);
  assert.equal(file!.sha256, createHash('sha256').update(bytes).digest('hex'));
  assert.equal(file!.path, `streams/vehicle/date=2024-11-23/${keys[0]}~${keys[99]}_1.parquet`);
  assert.deepEqual(await started.keys(), keys);
  assert.equal(await started.recorder.flush('vehicle', 'request'), null);

  const { key_value_metadata } = parquetMetadata(Uint8Array.from(bytes).buffer);
  const metadata = new Map(key_value_metadata!.map(({ key, value }) => [key, value]));
  const expected = {
    stream: 'vehicle',
    firstKey: `${keys[0]}`,
    lastKey: `${keys[99]}`,
    rows: '100',
    bootId: 'boot-1',
    version: '1.2.3',
  };
  for (const [key, value] of Object.entries(expected))
    assert.equal(metadata.get(`mqtt-stream.${key}`), value);
  assert.deepEqual(JSON.parse(metadata.get('mqtt-stream.clock')!), {
    open: { key: keys[0], wall: keys[0]! + 5, monotonic: keys[0]! - 1_732_000_000_000_000 },
    close: { key: keys[99], wall: keys[99]! + 5, monotonic: keys[99]! - 1_732_000_000_000_000 },
    corrections: [{ from: 0, offset: 5 }],
  });
});

test('corrections of the clock stand in the files to come', async (t) => {
  const started = await Started.start(t);
  started.publish(started.add('vehicle'), 1);
  const corrections = [{ from: 0, offset: -9 }];
  started.recorder.correct(corrections);
  const file = await started.recorder.flush('vehicle', 'request');
  const bytes = await readFile(join(started.dataDir, file!.path));
  const metadata = parquetMetadata(Uint8Array.from(bytes).buffer).key_value_metadata!;
  const clock = metadata.find(({ key }) => key === 'mqtt-stream.clock')!.value!;
  assert.deepEqual(JSON.parse(clock).corrections, corrections);
});

test('every single message wakes a sleeping recorder', async (t) => {
  const started = await Started.start(t);
  const writer = started.add('vehicle', { messages: 1 });
  const keys: number[] = [];
  for (let i = 1; i <= 40; i++) {
    keys.push(...started.publish(writer, 1));
    await started.until(() => started.commits.length === i);
  }
  assert.deepEqual(await started.keys(), keys);
  assert.deepEqual(
    started.commits.map(({ file }) => file.seq),
    keys.map((_, i) => i + 1),
  );
});

test('publishers and the recorder run side by side, and every message is in one file, in order', async (t) => {
  const started = await Started.start(t);
  const a = started.add('a', { messages: 1000 }, 512, 65536);
  const b = started.add('b', { bytes: 20_000 }, 4096, 2 ** 20);
  const keys = { a: [] as number[], b: [] as number[] };
  for (let i = 0; i < 60; i++) {
    keys.a.push(...started.publish(a, 100));
    keys.b.push(...started.publish(b, 50));
    await started.until(() => a.written - a.reusable <= 400);
  }
  await Promise.all([started.recorder.flush('a', 'request'), started.recorder.flush('b', 'request')]);
  for (const name of ['a', 'b'] as const) assert.deepEqual(await started.keys(name), keys[name]);
});

test('a removed stream is written and can be added again; names are checked', async (t) => {
  const started = await Started.start(t);
  const writer = started.add('a');
  const keys = started.publish(writer, 3);
  assert.throws(() => started.add('a'), { code: 'STREAM_EXISTS' });
  assert.throws(() => started.add('../a'), { code: 'INTERNAL' });
  await started.recorder.remove('a');
  assert.deepEqual(await started.keys(), keys);
  await assert.rejects(started.recorder.flush('a', 'request'), { code: 'STREAM_NOT_FOUND' });
  await assert.rejects(started.recorder.remove('a'), { code: 'STREAM_NOT_FOUND' });
  started.recorder.add(stream('a'), writer, 2);
  keys.push(...started.publish(writer, 2));
  await started.recorder.flush('a', 'request');
  assert.deepEqual(await started.keys(), keys);
});

test('a full disk refuses requests with a reason, keeps everything, and recovers', async (t) => {
  const started = await Started.start(t);
  const writer = started.add('a');
  started.fill(true);
  const keys = started.publish(writer, 3);
  await assert.rejects(started.recorder.flush('a', 'request'), {
    code: 'FLUSH_FAILED',
    message: /keeps its messages.*ENOSPC/,
  });
  assert.deepEqual(started.events, ['failed']);
  assert.equal(writer.committed, 0);
  started.fill(false);
  keys.push(...started.publish(writer, 2));
  await started.recorder.flush('a', 'request');
  assert.deepEqual(started.events, ['failed', 'recovered', 'committed', 'committed']);
  assert.deepEqual(await started.keys(), keys);
  const [day] = await readdir(join(started.dataDir, 'streams/a'));
  const left = await readdir(join(started.dataDir, 'streams/a', day!));
  assert.deepEqual(
    left.sort(),
    started.commits.map(({ file }) => file.name),
    'no temporary file is left',
  );
});

test('a folder that is removed is made again', async (t) => {
  const started = await Started.start(t);
  const writer = started.add('a', { messages: 1 });
  started.publish(writer, 1);
  await started.until(() => started.commits.length === 1);
  await rm(join(started.dataDir, 'streams'), { recursive: true });
  started.publish(writer, 1);
  await started.until(() => started.commits.length === 2);
  await readFile(join(started.dataDir, started.commits[1]!.file.path));
});

test('a poisoned encoder costs a worker and no message: none is lost, none is there twice', async (t) => {
  const started = await Started.start(t);
  const a = started.add('a', { messages: 10 });
  const b = started.add('b');
  const keys = started.publish(a, 25);
  await started.until(() => started.commits.length === 2);
  const others = started.publish(b, 7);
  // The first replacement is poisoned as well: the second one comes after a delay.
  started.poison(2);
  keys.push(...started.publish(a, 9));
  const flushed = started.recorder.flush('b', 'request');
  await started.until(() => started.count('replaced') === 2);
  keys.push(...started.publish(a, 3));
  await started.recorder.flush('a', 'request');
  const file = await flushed;
  assert.ok(file === null || file.rows === 7);
  assert.deepEqual(started.lost, [[], []]);
  const found = await started.keys();
  assert.deepEqual(
    found.filter((key) => !others.includes(key)),
    keys,
  );
  assert.deepEqual(found.toSorted(), [...keys, ...others].toSorted());
  assert.equal(new Set(started.commits.map(({ file: { path } }) => path)).size, started.commits.length);
});

test('a poisoned encoder with drop-oldest: what only the worker had is told as lost, exactly', async (t) => {
  const dropped: number[] = [];
  const taken: number[] = [];
  const keys: number[] = [];
  const giveUp = (key: number, promised: boolean) => (promised ? taken : dropped).push(key);
  const lost: StreamCount[] = [];
  const started: Started = await Started.start(t, {
    onReplaced: (counts) => {
      lost.push(...counts);
      // Not before: a retry on its way would write the file, and nothing would be poisoned.
      started.fill(false);
      // Before the next worker runs, the ring gives up what nobody has any more.
      keys.push(...started.publish(writer, 30, giveUp));
    },
  });
  const writer = started.add('a', {}, 64, 65536);
  started.fill(true);
  keys.push(...started.publish(writer, 64, giveUp));
  await assert.rejects(started.recorder.flush('a', 'request'), { code: 'FLUSH_FAILED' });
  keys.push(...started.publish(writer, 10, giveUp));
  assert.equal(taken.length, 10);
  started.poison(1);
  await started.recorder.flush('a', 'request');
  assert.deepEqual(lost, [{ stream: 'a', messages: 10 }]);
  assert.deepEqual(dropped, keys.slice(10, 40));
  assert.deepEqual(await started.keys(), keys.slice(40));
});

for (const seed of [1, 2, 3]) {
  test(`a stalled disk with drop-oldest: every message is in a file or was told as dropped (seed ${seed})`, async (t) => {
    const random = generator(seed);
    const started = await Started.start(t);
    const writer = started.add('a', { messages: whole(random, 20, 60) }, 64, 4096);
    const dropped: number[] = [];
    const promised: number[] = [];
    const giveUp = (key: number, taken: boolean) => (taken ? promised : dropped).push(key);
    const keys: number[] = [];
    for (let round = 0; round < 3; round++) {
      started.stall(true);
      keys.push(...started.publish(writer, whole(random, 50, 64), giveUp));
      const flushed = started.recorder.flush('a', 'request');
      await started.stalled();
      keys.push(...started.publish(writer, whole(random, 10, 300), giveUp));
      started.stall(false);
      // While the worker drains, the writer goes on dropping.
      for (let i = 0; i < 20; i++) {
        keys.push(...started.publish(writer, whole(random, 1, 100), giveUp));
        await new Promise(setImmediate);
      }
      await flushed;
    }
    await started.recorder.flush('a', 'request');
    const recorded = await started.keys();
    assert.ok(dropped.length > 0);
    assert.deepEqual(
      [...recorded, ...dropped].sort((x, y) => x - y),
      keys,
    );
    const files = new Set(recorded);
    assert.ok(promised.every((key) => files.has(key)));
  });
}

test('while a file is being written, messages become safe and others are counted', async (t) => {
  const started = await Started.start(t);
  const writer = started.add('a', { messages: 10 }, 64, 65536, 'strict');
  started.stall(true);
  const keys = started.publish(writer, 10);
  await started.stalled();
  keys.push(...started.publish(writer, 7, undefined, true));
  await started.until(() => started.safe === 17);
  assert.deepEqual(started.commits, []);
  assert.equal(writer.committed, 0);
  started.stall(false);
  await started.recorder.flush('a', 'request');
  assert.deepEqual(
    started.commits.map(({ upTo }) => upTo),
    [10, 17],
  );
  assert.deepEqual(await started.keys(), keys);
});

test('closing writes everything and says so; after that nothing is taken', async (t) => {
  const started = await Started.start(t);
  const keys = started.publish(started.add('a'), 5);
  keys.push(...started.publish(started.add('b'), 5));
  const { unwritten } = await started.recorder.close(60_000);
  assert.deepEqual(unwritten, []);
  assert.deepEqual(await started.keys(), keys);
  assert.deepEqual(
    started.commits.map(({ info }) => info.reason),
    ['shutdown', 'shutdown'],
  );
  await assert.rejects(started.recorder.flush('a', 'request'), { code: 'SHUTTING_DOWN' });
  await assert.rejects(started.recorder.hash('x'), { code: 'SHUTTING_DOWN' });
  assert.throws(() => started.add('c'), { code: 'SHUTTING_DOWN' });
});

test('closing with a stalled disk ends after the timeout and names what is unwritten', async (t) => {
  const started = await Started.start(t);
  const writer = started.add('a', {}, 16, 4096);
  started.add('b');
  started.publish(writer, 10);
  started.stall(true);
  const flushed = assert.rejects(started.recorder.flush('a', 'request'), { code: 'SHUTTING_DOWN' });
  await started.stalled();
  // Some of those in the worker's hands are overwritten in the ring; they are unwritten all the same.
  const dropped: number[] = [];
  started.publish(writer, 8, (key, taken) => !taken && dropped.push(key));
  const { unwritten } = await started.recorder.close(20);
  assert.deepEqual(unwritten, [{ stream: 'a', messages: 18 - dropped.length }]);
  assert.deepEqual(started.commits, []);
  await flushed;
});

test('closing with a full disk tries once and names what is unwritten', async (t) => {
  const started = await Started.start(t);
  started.publish(started.add('a'), 5);
  started.fill(true);
  const { unwritten } = await started.recorder.close(60_000);
  assert.deepEqual(unwritten, [{ stream: 'a', messages: 5 }]);
});

test('checksums of files that were there before', async (t) => {
  const started = await Started.start(t);
  const bytes = Buffer.alloc(3 * 1024 * 1024 + 5, 'abc');
  await writeFile(join(started.dataDir, 'old.parquet'), bytes);
  await writeFile(join(started.dataDir, 'empty.parquet'), '');
  const sha256 = (of: Uint8Array) => createHash('sha256').update(of).digest('hex');
  const answers = Promise.all([started.recorder.hash('old.parquet'), started.recorder.hash('empty.parquet')]);
  assert.deepEqual(await answers, [
    { sha256: sha256(bytes), bytes: bytes.length },
    { sha256: sha256(Buffer.alloc(0)), bytes: 0 },
  ]);
  await assert.rejects(started.recorder.hash('gone.parquet'), {
    code: 'TRANSFER_READ_FAILED',
    message: /ENOENT/,
  });
});

test('a worker that cannot start is an error', async (t) => {
  await assert.rejects(Started.start(t, { modules: { disk: 'file:///nowhere/disk.js' } }), {
    code: 'INTERNAL',
    message: /cannot start/,
  });
});

test('a process that has closed its recorder ends by itself', async (t) => {
  const { dataDir } = await Started.start(t);
  const url = new URL('../../src/recorder/recorder.js', import.meta.url).href;
  const script = `
    import { Recorder } from ${JSON.stringify(url)};
    const log = { info() {}, warn() {}, error() {} };
    const options = { dataDir: '.', bootId: 'b', clockBase: 0, corrections: [], log, onCommit() {} };
    const recorder = await Recorder.start(options);
    await recorder.close(60000);
    console.log('closed');`;
  const path = join(dataDir, 'closing.mjs');
  await writeFile(path, script);
  const { stdout } = await promisify(execFile)(process.execPath, [path]);
  assert.equal(stdout, 'closed\n');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROW_BYTES } from '../../src/recorder/batch.js';
import { Rig, SOURCE, stream } from './rig.js';

/** Bytes of the names, which stand once in a file. */
const NAMES = SOURCE.topicBytes + SOURCE.clientBytes;

test('nothing published: it sleeps without a limit and makes no file', () => {
  const rig = new Rig();
  rig.add(stream('a', { every: 1000, idle: 100, messages: 5, bytes: 100 }));
  rig.settle().settle();
  assert.deepEqual(rig.waits, new Array(2).fill({ kind: 'sleep', ms: Number.POSITIVE_INFINITY }));
  assert.deepEqual(rig.reports, []);
});

test('messages: files of exactly so many rows', () => {
  const rig = new Rig();
  const keys = rig.append(rig.add(stream('a', { messages: 5 })), 12);
  rig.settle();
  assert.deepEqual(rig.files(), [
    ['messages', 5],
    ['messages', 5],
  ]);
  const [first, second] = rig.committed();
  assert.deepEqual([first!.upTo, second!.upTo], [5, 10]);
  assert.deepEqual([first!.file.firstKey, first!.file.lastKey, first!.file.seq], [keys[0], keys[4], 1]);
  assert.deepEqual([second!.file.firstKey, second!.file.lastKey, second!.file.seq], [keys[5], keys[9], 2]);
});

test('bytes: a file is never larger, unless one message is', () => {
  const rig = new Rig();
  const bytes = 4 * (ROW_BYTES + 100) + NAMES;
  const writer = rig.add(stream('a', { bytes }));
  rig.append(writer, 6, 'x'.repeat(100));
  rig.append(writer, 1, 'y'.repeat(10_000));
  rig.append(writer, 4, 'z'.repeat(100));
  rig.settle();
  assert.deepEqual(rig.files(), [
    ['bytes', 4],
    ['bytes', 2],
    ['bytes', 1],
    ['bytes', 4],
  ]);
  assert.equal(rig.committed()[0]!.info.rawBytes, bytes);
});

test('every: so long after the first row', () => {
  const rig = new Rig();
  const writer = rig.add(stream('a', { every: 1000 }));
  rig.append(writer, 1);
  rig.settle();
  rig.pass(900);
  rig.append(writer, 1);
  rig.settle();
  rig.pass(99);
  assert.deepEqual(rig.files(), []);
  rig.pass(1);
  assert.deepEqual(rig.files(), [['every', 2]]);
});

test('idle: so long after the last row', () => {
  const rig = new Rig();
  const writer = rig.add(stream('a', { idle: 100 }));
  for (let i = 0; i < 3; i++) {
    rig.append(writer, 1);
    rig.settle();
    rig.pass(99);
  }
  assert.deepEqual(rig.files(), []);
  rig.pass(1);
  assert.deepEqual(rig.files(), [['idle', 3]]);
});

test('full: at half of the messages or three quarters of the bytes of the ring', () => {
  const rig = new Rig();
  const few = rig.add(stream('few'), 16);
  rig.append(few, 7);
  rig.settle();
  assert.deepEqual(rig.files(), []);
  rig.append(few, 1);
  rig.settle();
  assert.deepEqual(rig.files(), [['full', 8]]);
  few.commit(8);

  const small = rig.add(stream('small'), 1024, 4096);
  rig.append(small, 11, 'x'.repeat(240));
  rig.settle();
  assert.equal(small.pendingBytes, 11 * 256);
  assert.deepEqual(rig.committed('small'), []);
  rig.append(small, 1, 'x'.repeat(240));
  rig.settle();
  assert.equal(rig.committed('small').length, 1);
});

test('request: all that was there is written, and the answer is the last file', () => {
  const rig = new Rig();
  const writer = rig.add(stream('a', { messages: 4 }));
  rig.post({ kind: 'flush', id: 1, stream: 'a', reason: 'request' });
  rig.append(writer, 6);
  rig.settle();
  assert.deepEqual(rig.files(), [
    ['messages', 4],
    ['request', 2],
  ]);
  const last = rig.committed()[1]!.file;
  assert.deepEqual(rig.reports.at(-1), { kind: 'done', id: 1, answer: last });
});

test('a request with nothing to write is answered with null; one for "full" says so', () => {
  const rig = new Rig();
  const writer = rig.add(stream('a'));
  rig.post({ kind: 'flush', id: 1, stream: 'a', reason: 'request' });
  rig.settle();
  assert.deepEqual(rig.reports, [{ kind: 'done', id: 1, answer: null }]);
  rig.append(writer, 1);
  rig.post({ kind: 'flush', id: 2, stream: 'a', reason: 'full' });
  rig.settle();
  assert.deepEqual(rig.files(), [['full', 1]]);
  rig.post({ kind: 'flush', id: 3, stream: 'b', reason: 'request' });
  rig.settle();
  assert.deepEqual(rig.reports.at(-1), { kind: 'undone', id: 3, error: 'it is not recorded any more' });
});

test('shutdown: all streams are written, then it ends', () => {
  const rig = new Rig();
  rig.append(rig.add(stream('a')), 3);
  rig.append(rig.add(stream('b', { messages: 2 })), 5);
  rig.post({ kind: 'stop' });
  rig.loop.run();
  assert.deepEqual(rig.files(), [
    ['shutdown', 3],
    ['messages', 2],
    ['messages', 2],
    ['shutdown', 1],
  ]);
  assert.deepEqual(rig.reports.at(-1), { kind: 'stopped', unwritten: [] });
});

test('remove: what is left is written, and nothing after that', () => {
  const rig = new Rig();
  const writer = rig.add(stream('a'));
  rig.append(writer, 3);
  rig.post({ kind: 'remove', id: 1, stream: 'a' });
  rig.settle();
  assert.deepEqual(rig.files(), [['request', 3]]);
  assert.deepEqual(rig.reports.at(-1), { kind: 'done', id: 1, answer: null });
  rig.append(writer, 3);
  rig.post({ kind: 'stop' });
  rig.loop.run();
  assert.equal(rig.files().length, 1);
});

test('while messages come it naps as long as the rings allow; then it sleeps until something is due', () => {
  const rig = new Rig();
  const writer = rig.add(stream('a', { every: 5000, idle: 1000 }), 1024);
  rig.append(writer, 10);
  rig.pass(10);
  assert.deepEqual(rig.waits.at(-1), { kind: 'nap', ms: 10 });
  // 256 messages in 10 ms are a quarter of the ring: half as long a nap keeps it below an eighth.
  rig.append(writer, 256);
  rig.pass(10);
  assert.deepEqual(rig.waits.at(-1), { kind: 'nap', ms: 5 });
  rig.append(writer, 240);
  rig.pass(1);
  assert.equal(rig.waits.at(-1)!.kind, 'sleep', 'too fast for naps: every message wakes it');
  rig.pass(200);
  assert.deepEqual(rig.waits.at(-1), { kind: 'sleep', ms: 800 });
  rig.pass(800);
  assert.deepEqual(rig.files(), [['idle', 506]]);
});

test('checksums are computed between two looks at the rings', () => {
  const rig = new Rig();
  const writer = rig.add(stream('a', { messages: 1 }));
  rig.append(writer, 1);
  rig.settle();
  const { file } = rig.committed()[0]!;
  rig.post({ kind: 'hash', id: 1, path: file.path });
  rig.post({ kind: 'hash', id: 2, path: 'streams/gone.parquet' });
  rig.post({ kind: 'hash', id: 3, path: file.path });
  rig.settle();
  const answer = { sha256: file.sha256, bytes: file.bytes };
  assert.deepEqual(rig.reports.slice(-3), [
    { kind: 'done', id: 1, answer },
    { kind: 'undone', id: 2, error: 'ENOENT: /data/streams/gone.parquet' },
    { kind: 'done', id: 3, answer },
  ]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileEntry } from '../../src/catalog/entry.js';
import { Safety } from '../../src/exchange/safety.js';
import { DiskPolicy, type OnDiskFull, type StreamState } from '../../src/streams/disk-policy.js';
import { MemoryLog } from '../app/app-fixture.js';
import { exchangeOf, publication, streamOf } from '../exchange/fixture.js';

const ALL = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

function file(seq: number): FileEntry {
  const name = `${seq}.parquet`;
  return {
    stream: 's',
    name,
    path: name,
    firstKey: seq,
    lastKey: seq,
    seq,
    rows: 7,
    bytes: 100,
    rawBytes: 400,
    sha256: null,
  };
}

function rig(policy: OnDiskFull, files = 0) {
  const stream = streamOf('s', { messages: 4 });
  stream.safety = new Safety();
  const exchange = exchangeOf(stream);
  const publisher = exchange.origin('car');
  const states: StreamState[] = [];
  const log = new MemoryLog();
  const saved: number[] = [];
  let retries = 0;
  let savable = true;
  let left = files;
  const disk = new DiskPolicy({
    stream,
    policy,
    oldest: async () => (left === 0 ? null : file(files - left + 1)),
    delete: async () => --left >= 0,
    gapsSaved: async () => {
      saved.push(stream.gaps.count);
      return savable;
    },
    retry: () => {
      retries++;
    },
    released: () => exchange.admitWaiting(),
    onState: (state) => states.push(state),
    log: log.log,
  });
  let key = 100;
  /** What becomes of a message: taken, refused, or it waits; and its promise. */
  const publish = () => {
    const message = publication('s/n', 'x');
    if (!exchange.admit(publisher, message)) {
      exchange.wait(publisher, message, () => {
        if (exchange.admit(publisher, message)) exchange.take(publisher, message, key++);
      });
      return 'waits';
    }
    return exchange.take(publisher, message, key++) ? 'taken' : 'refused';
  };
  const refuseGaps = () => {
    savable = false;
  };
  return { stream, exchange, publish, disk, states, log, saved, refuseGaps, retries: () => retries };
}

test('stop-capture: nothing is captured while the disk is full, who waits is told, and it goes on by itself', async () => {
  const { stream, exchange, publish, disk, states } = rig('stop-capture');
  assert.equal(publish(), 'taken');
  const safe = exchange.safe()!;
  stream.publish();
  disk.failed('journal', 'no room', true);
  disk.noRoom();
  await assert.rejects(safe, { code: 'CAPTURE_STOPPED', reason: 0x97 });
  assert.deepEqual([publish(), publish()], ['refused', 'refused']);
  assert.equal(exchange.safe(), null, 'nobody waits for a stream that has stopped');
  assert.equal(stream.stats.refused, 2);
  disk.noRoom();
  disk.recovered('journal');
  assert.equal(publish(), 'taken');
  assert.deepEqual(states, ['failing', 'stopped', 'ok']);
  assert.deepEqual(stream.gapsWithin(ALL), [{ start: 101, end: 102, messages: 2, reason: 'stopped' }]);
});

test('stop-capture: it goes on when nothing fails any more', () => {
  const { publish, disk } = rig('stop-capture');
  disk.failed('journal', 'no room', true);
  disk.failed('file', 'no room', true);
  disk.noRoom();
  disk.recovered('journal');
  assert.equal(publish(), 'refused');
  disk.recovered('file');
  assert.equal(publish(), 'taken');
});

test('a disk that fails otherwise: without a journal capture stops, without files only what does not fit is refused', () => {
  const journal = rig('stop-capture');
  journal.disk.failed('journal', 'EIO', false);
  assert.equal(journal.publish(), 'refused');
  const files = rig('drop-oldest-files');
  files.disk.failed('file', 'EIO', false);
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => files.publish()),
    ['taken', 'taken', 'taken', 'taken', 'refused'],
  );
  assert.equal(files.disk.state, 'failing');
  files.stream.ring.commit(4);
  files.disk.recovered('file');
  assert.equal(files.publish(), 'taken');
});

test('publishers that wait for room when the disk begins to fail do not wait for it', () => {
  const { stream, exchange, publish, disk } = rig('stop-capture');
  for (let i = 0; i < 4; i++) publish();
  assert.deepEqual([publish(), publish(), exchange.waitingMessages], ['waits', 'waits', 2]);
  disk.failed('file', 'EIO', false);
  assert.deepEqual([exchange.waitingMessages, stream.stats.refused], [0, 2]);
});

test('block: publishers wait, whatever it is', () => {
  const { exchange, publish, disk, states } = rig('block');
  disk.failed('journal', 'no room', true);
  disk.noRoom();
  disk.failed('file', 'EIO', false);
  for (let i = 0; i < 4; i++) assert.equal(publish(), 'taken');
  assert.equal(publish(), 'waits');
  disk.recovered('journal');
  assert.equal(disk.failure, 'EIO');
  disk.recovered('file');
  assert.deepEqual([exchange.waitingMessages, states.at(-1)], [1, 'ok']);
});

test('drop-oldest-files: a file at a time, told and a gap; with none left nothing is captured', async () => {
  const { stream, publish, disk, log, retries, saved } = rig('drop-oldest-files', 2);
  disk.failed('file', 'no room', true);
  for (let i = 1; i <= 2; i++) {
    disk.noRoom();
    disk.noRoom();
    await new Promise(setImmediate);
    assert.equal(retries(), i, 'a file, and a try');
    assert.equal(publish(), 'taken');
  }
  assert.deepEqual(saved, [1, 2], 'before they are deleted');
  assert.deepEqual([stream.stats.deletedFiles, stream.stats.deletedRows], [2, 14]);
  assert.equal(log.matching(/the oldest file was deleted/).length, 2);
  assert.deepEqual(stream.gapsWithin(ALL), [
    { start: 1, end: 1, messages: 7, reason: 'deleted' },
    { start: 2, end: 2, messages: 7, reason: 'deleted' },
  ]);
  disk.noRoom();
  await new Promise(setImmediate);
  assert.equal(publish(), 'refused');
  disk.recovered('file');
  assert.equal(publish(), 'taken');
});

test('drop-oldest-files: if there is no room for its gap either, that is written before anything else', async () => {
  const { disk, refuseGaps, retries, saved } = rig('drop-oldest-files', 2);
  refuseGaps();
  disk.failed('file', 'no room', true);
  disk.noRoom();
  await new Promise(setImmediate);
  assert.deepEqual([saved, retries()], [[1, 1], 1]);
});

test('another recorder knows of no failure: capture goes on until it tells of one', () => {
  const { publish, disk, states } = rig('stop-capture');
  disk.failed('journal', 'no room', true);
  disk.noRoom();
  assert.equal(publish(), 'refused');
  disk.restart();
  assert.deepEqual([publish(), disk.failure], ['taken', null]);
  assert.equal(states.at(-1), 'ok');
});

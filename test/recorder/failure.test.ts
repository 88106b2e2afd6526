import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDisk } from './memory-disk.js';
import { type ListedRow, listEncoder, Rig, stream } from './rig.js';

/** A rig whose disk is full until `mend`. */
function broken(encoder = listEncoder) {
  const disk = new MemoryDisk();
  let full = true;
  let attempts = 0;
  disk.onOperation = (operation) => {
    if (operation === 'create') attempts++;
    if (full && operation === 'write') throw new Error('ENOSPC: no space left on device');
  };
  const rig = new Rig({ disk, encoder });
  return {
    rig,
    disk,
    mend: () => {
      full = false;
    },
    breakAgain: () => {
      full = true;
    },
    attempts: () => attempts,
  };
}

function keysIn(disk: MemoryDisk): number[] {
  return [...disk.files.values()]
    .flatMap((bytes) => JSON.parse(Buffer.from(bytes).toString()) as ListedRow[])
    .map(({ key }) => key);
}

test('a full disk is told once; the rows are kept, and what comes after them is one file', () => {
  const { rig, disk, mend, attempts } = broken();
  const writer = rig.add(stream('a', { messages: 3 }));
  const keys = rig.append(writer, 3);
  rig.settle();
  assert.deepEqual(rig.reports, [
    {
      kind: 'failed',
      stream: 'a',
      what: 'file',
      error: 'ENOSPC: no space left on device',
      messages: 3,
      full: false,
    },
  ]);
  keys.push(...rig.append(writer, 7));
  rig.pass(50);
  rig.pass(50);
  rig.pass(200);
  assert.equal(attempts(), 3);
  assert.equal(rig.reports.length, 1, 'one report for an episode');
  assert.equal(disk.files.size, 0);
  mend();
  rig.pass(399);
  assert.equal(attempts(), 3);
  rig.pass(1);
  assert.deepEqual(rig.kinds(), ['failed', 'recovered', 'committed', 'committed']);
  assert.deepEqual(rig.files(), [
    ['messages', 3],
    ['messages', 7],
  ]);
  assert.deepEqual(keysIn(disk), keys);
});

test('after a recovery the next failure is an episode of its own, with the shortest delay again', () => {
  const { rig, mend, breakAgain } = broken();
  const writer = rig.add(stream('a', { messages: 1 }));
  rig.append(writer, 1);
  rig.settle();
  rig.pass(100);
  mend();
  rig.pass(200);
  breakAgain();
  rig.append(writer, 1);
  rig.settle();
  assert.deepEqual(rig.kinds(), ['failed', 'recovered', 'committed', 'failed']);
  mend();
  rig.pass(100);
  assert.deepEqual(rig.kinds().slice(4), ['recovered', 'committed']);
});

test('a request tries again at once and is refused with the reason', () => {
  const { rig, mend, attempts } = broken();
  const writer = rig.add(stream('a', { messages: 1 }));
  rig.append(writer, 1);
  rig.settle();
  rig.post({ kind: 'flush', id: 1, stream: 'a', reason: 'request' });
  rig.settle();
  assert.equal(attempts(), 2);
  assert.deepEqual(rig.reports.at(-1), { kind: 'undone', id: 1, error: 'ENOSPC: no space left on device' });
  mend();
  rig.append(writer, 1);
  rig.post({ kind: 'flush', id: 2, stream: 'a', reason: 'request' });
  rig.settle();
  assert.deepEqual(rig.kinds().slice(-4), ['recovered', 'committed', 'committed', 'done']);
  assert.equal(rig.committed().at(-1)!.upTo, 2);
});

test('between attempts it sleeps, even if the ring is full', () => {
  const { rig } = broken();
  const writer = rig.add(stream('a', { messages: 4 }), 16);
  rig.append(writer, 16);
  rig.settle();
  assert.deepEqual(rig.waits.at(-1)!.kind, 'sleep');
  assert.equal(rig.waits.at(-1)!.ms, 100);
  assert.equal(writer.fits({ head: new Int32Array(2) } as never, 0, 8), false);
});

test('a folder that is removed while it runs is made again', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', { messages: 1 }));
  rig.append(writer, 1);
  rig.settle();
  disk.folders.clear();
  rig.append(writer, 1);
  rig.settle();
  assert.deepEqual(rig.kinds(), ['committed', 'committed']);
});

test('one stream that fails does not keep others from being written', () => {
  const disk = new MemoryDisk();
  disk.onOperation = (operation, path) => {
    if (operation === 'create' && path.includes('/bad/')) throw new Error('EROFS: read-only file system');
  };
  const rig = new Rig({ disk });
  rig.append(rig.add(stream('bad', { messages: 1 })), 1);
  rig.append(rig.add(stream('good', { messages: 1 })), 1);
  rig.settle();
  assert.deepEqual(
    rig.committed().map(({ stream: name }) => name),
    ['good'],
  );
  rig.post({ kind: 'stop' });
  rig.loop.run();
  assert.deepEqual(rig.reports.at(-1), { kind: 'stopped', unwritten: [{ stream: 'bad', messages: 1 }] });
});

test('removing a stream that cannot be written fails and keeps it', () => {
  const { rig, mend } = broken();
  rig.append(rig.add(stream('a')), 2);
  rig.post({ kind: 'remove', id: 1, stream: 'a' });
  rig.settle();
  assert.deepEqual(rig.reports.at(-1), { kind: 'undone', id: 1, error: 'ENOSPC: no space left on device' });
  mend();
  rig.post({ kind: 'remove', id: 2, stream: 'a' });
  rig.settle();
  assert.deepEqual(rig.files(), [['request', 2]]);
  assert.deepEqual(rig.reports.at(-1), { kind: 'done', id: 2, answer: null });
});

test('a poisoned encoder ends the thread; an ordinary error of it is tried again', () => {
  let error = new Error('out of luck');
  const encoder = {
    encode(): Uint8Array {
      throw error;
    },
  };
  const rig = new Rig({ encoder });
  rig.append(rig.add(stream('a', { messages: 1 })), 1);
  rig.settle();
  assert.deepEqual(rig.kinds(), ['failed']);
  error = Object.assign(new Error('unreachable'), { name: 'RuntimeError' });
  rig.time += 100;
  assert.throws(() => rig.loop.run(), { message: 'unreachable' });
});

test('the rows that wait for a retry are bounded; then the ring is', () => {
  const { rig, mend } = broken({ encode: () => new Uint8Array(1) });
  const writer = rig.add(stream('a', { bytes: 8 * 1024 * 1024 }), 4096, 96 * 1024 * 1024);
  rig.append(writer, 80, 'x'.repeat(1024 * 1024));
  rig.settle();
  const [failed] = rig.reports;
  assert.equal(failed!.kind, 'failed');
  rig.settle();
  mend();
  rig.pass(100);
  const [first, second] = rig.committed();
  assert.equal(first!.file.rows, 7, 'as many as fit into 8 MiB');
  assert.equal(second!.file.rows, 56, '63 messages of 1 MiB and their fixed columns fit into 64 MiB');
  assert.ok(first!.info.rawBytes + second!.info.rawBytes <= 64 * 1024 * 1024);
});

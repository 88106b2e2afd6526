/** What each level promises, when those who wait are told, and what a disk that fails does to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDisk } from '../memory-disk.js';
import { Rig, stream } from '../rig.js';

const FOLDER = '/data/streams/a/journal';

function segments(disk: MemoryDisk): string[] {
  return [...disk.files.keys()].filter((path) => path.startsWith(FOLDER));
}

/** What was done to the journal's files and folders since the last call, without how much was written. */
function operations(disk: MemoryDisk): string[] {
  const done = disk.log
    .filter((line) => line.includes('/journal'))
    .map((line) => line.replace(`${FOLDER}/`, ''));
  disk.log.length = 0;
  return done.filter((line, i) => !(line.startsWith('write') && line === done[i - 1]));
}

function safes(rig: Rig): number[] {
  return rig.reports.flatMap((report) => (report.kind === 'safe' ? [report.upTo] : []));
}

test('none: there is no journal', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a'));
  rig.append(writer, 3, 'x', true);
  rig.settle();
  assert.deepEqual(segments(disk), []);
  assert.deepEqual(safes(rig), []);
});

test('process: what was taken over is written at once and never synced; who waits is told once', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', {}, 'process'));
  rig.append(writer, 3);
  rig.settle();
  assert.deepEqual(safes(rig), [], 'nobody waits');
  rig.append(writer, 2, 'x', true);
  rig.settle();
  rig.pass(1000);
  assert.deepEqual(safes(rig), [5]);
  assert.deepEqual(segments(disk), [`${FOLDER}/0000000001.journal`]);
  assert.ok(!disk.log.some((line) => line.startsWith('syncData')));
});

test('interval: told when it is written, synced when the oldest is as old as the interval', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', {}, 'interval'));
  rig.append(writer, 1, 'x', true);
  rig.settle();
  assert.deepEqual(safes(rig), [1]);
  rig.pass(30);
  rig.append(writer, 1);
  rig.settle();
  operations(disk);
  assert.equal(rig.waits.at(-1)!.ms <= 20, true, 'it wakes up for the sync');
  rig.pass(19);
  assert.deepEqual(operations(disk), []);
  rig.pass(1);
  assert.deepEqual(operations(disk), [
    'syncData 0000000001.journal',
    `open ${FOLDER}`,
    `sync ${FOLDER}`,
    `close ${FOLDER}`,
  ]);
  rig.pass(1000);
  assert.deepEqual(operations(disk), [], 'nothing new');
  rig.append(writer, 1);
  rig.settle();
  rig.pass(50);
  assert.deepEqual(operations(disk), ['write 0000000001.journal', 'syncData 0000000001.journal']);
});

test('strict: synced before anybody is told; without one who waits, at the interval', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', {}, 'strict'));
  let told = false;
  disk.onOperation = (operation) => {
    if (operation === 'syncData') told = safes(rig).length > 0;
  };
  rig.append(writer, 2, 'x', true);
  rig.settle();
  assert.deepEqual(safes(rig), [2]);
  assert.equal(told, false);
  const folders = disk.log.filter((line) => line.startsWith('sync ')).map((line) => line.slice(5));
  assert.deepEqual(
    folders,
    ['/data/streams/a', '/data/streams', '/data', FOLDER],
    'the new entries survive, too',
  );
  operations(disk);
  rig.append(writer, 1);
  rig.settle();
  assert.deepEqual(operations(disk), ['write 0000000001.journal']);
  rig.pass(50);
  assert.deepEqual(operations(disk), ['syncData 0000000001.journal']);
  assert.deepEqual(safes(rig), [2]);
});

test('a committed file makes its rows safe, and the segment goes', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', { messages: 4 }, 'strict'));
  rig.append(writer, 3);
  rig.settle();
  assert.equal(segments(disk).length, 1);
  rig.append(writer, 1);
  rig.settle();
  assert.deepEqual(rig.files(), [['messages', 4]]);
  assert.deepEqual(segments(disk), []);
  rig.append(writer, 1, 'x', true);
  rig.settle();
  assert.deepEqual(segments(disk), [`${FOLDER}/0000000002.journal`]);
  assert.deepEqual(safes(rig), [5]);
});

test('a sync that fails is no promise: the batch is written anew, and nobody is told before', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', {}, 'strict'));
  rig.append(writer, 2, 'x', true);
  disk.onOperation = (operation) => {
    if (operation === 'syncData') throw new Error('EIO: i/o error, fdatasync');
  };
  rig.settle();
  assert.deepEqual(rig.reports, [
    {
      kind: 'failed',
      stream: 'a',
      what: 'journal',
      error: 'EIO: i/o error, fdatasync',
      messages: 2,
      full: false,
    },
  ]);
  rig.append(writer, 1, 'x', true);
  rig.pass(99);
  disk.onOperation = () => {};
  assert.deepEqual(safes(rig), []);
  rig.pass(1);
  assert.deepEqual(rig.kinds(), ['failed', 'recovered', 'safe']);
  assert.deepEqual(safes(rig), [3]);
  assert.equal(segments(disk).length, 2);
  rig.post({ kind: 'flush', id: 1, stream: 'a', reason: 'request' });
  rig.settle();
  assert.deepEqual(segments(disk), []);
});

test('while the journal cannot be written, a file makes rows safe all the same', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', { messages: 2 }, 'process'));
  disk.onOperation = (operation, path) => {
    if (operation === 'write' && path.startsWith(FOLDER)) throw new Error('ENOSPC: no space left on device');
  };
  rig.append(writer, 1, 'x', true);
  rig.settle();
  assert.deepEqual(rig.kinds(), ['failed']);
  rig.append(writer, 1);
  rig.settle();
  assert.deepEqual(rig.files(), [['messages', 2]]);
  assert.deepEqual(safes(rig), [2]);
  assert.deepEqual(segments(disk), []);
});

test('a batch that is not all in its segment, when a file is made of it, is before the next one begins', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk, reserve: 1000 });
  rig.making.deferred = true;
  const writer = rig.add(stream('a', { messages: 3 }, 'process'));
  rig.append(writer, 2);
  rig.settle();
  disk.room = 500;
  rig.append(writer, 1);
  rig.settle();
  disk.room = Number.POSITIVE_INFINITY;
  rig.append(writer, 1, 'x', true);
  disk.log.length = 0;
  rig.pass(100);
  assert.deepEqual(operations(disk), [
    'write 0000000001.journal',
    'close 0000000001.journal',
    `mkdir ${FOLDER}`,
    'create 0000000002.journal',
    'write 0000000002.journal',
  ]);
  assert.deepEqual(safes(rig), [4]);
  rig.making.make();
  rig.settle();
  assert.deepEqual(segments(disk), [`${FOLDER}/0000000002.journal`]);
});

test('a segment that cannot be removed goes with the next one', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', { messages: 1 }, 'process'));
  disk.onOperation = (operation) => {
    if (operation === 'remove') throw new Error('EIO: i/o error, unlink');
  };
  rig.append(writer, 1);
  rig.settle();
  assert.equal(segments(disk).length, 1);
  disk.onOperation = () => {};
  rig.append(writer, 1);
  rig.pass(200);
  assert.deepEqual(rig.files(), [
    ['messages', 1],
    ['messages', 1],
  ]);
  assert.deepEqual(segments(disk), []);
});

test('a sync of the folders that fails is made up for by the next one', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', {}, 'strict'));
  disk.onOperation = (operation, path) => {
    if (operation === 'sync' && path === '/data/streams') throw new Error('EIO: i/o error, fsync');
  };
  rig.append(writer, 1, 'x', true);
  rig.settle();
  assert.deepEqual(safes(rig), []);
  disk.onOperation = () => {};
  disk.log.length = 0;
  rig.pass(100);
  assert.deepEqual(safes(rig), [1]);
  const synced = disk.log.filter((line) => line.startsWith('sync ')).map((line) => line.slice(5));
  for (const folder of ['/data', '/data/streams', FOLDER]) assert.ok(synced.includes(folder), folder);
});

test('what a stop cannot put into a file is in the journal', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', {}, 'process'));
  rig.settle();
  rig.append(writer, 3);
  disk.onOperation = (operation, path) => {
    if (operation === 'write' && path.endsWith('.tmp')) throw new Error('ENOSPC: no space left on device');
  };
  rig.post({ kind: 'stop' });
  rig.loop.turn();
  assert.deepEqual(rig.reports.at(-1), { kind: 'stopped', unwritten: [{ stream: 'a', messages: 3 }] });
  disk.onOperation = () => {};
  const next = new Rig({ disk, firstKey: 1_732_330_000_001_000 });
  next.add(stream('a', {}, 'process'));
  next.settle();
  assert.deepEqual(
    next.restored.map(({ file, left }) => [file?.rows, left]),
    [[3, 0]],
  );
});

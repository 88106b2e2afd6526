/** What an earlier process, or an earlier thread, left in its journal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileName } from '../../../src/catalog/naming.js';
import { MemoryDisk } from '../memory-disk.js';
import { type ListedRow, type RestoredReport, Rig, stream } from '../rig.js';

const SEGMENT = '/data/streams/a/journal/0000000001.journal';
const LATER = 1_732_330_000_001_000;

/** The keys in all files, in the order of the files' names. */
function keysIn(disk: MemoryDisk): number[] {
  return [...disk.files]
    .filter(([path]) => path.endsWith('.parquet'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, bytes]) => (JSON.parse(Buffer.from(bytes).toString()) as ListedRow[]).map(({ key }) => key));
}

function journals(disk: MemoryDisk): string[] {
  return [...disk.files.keys()].filter((path) => path.endsWith('.journal'));
}

/** A process that dies with so many messages in its journal, in two blocks. */
function died(disk: MemoryDisk, count = 5): number[] {
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', {}, 'process'));
  const keys = rig.append(writer, 2);
  rig.settle();
  keys.push(...rig.append(writer, count - 2));
  rig.settle();
  return keys;
}

function restart(disk: MemoryDisk): Rig {
  const rig = new Rig({ disk, firstKey: LATER });
  rig.add(stream('a', {}, 'process'), 1024, 1024 * 1024, { numbers: { next: 9 } });
  return rig.settle();
}

/** A file with these messages. */
function file(disk: MemoryDisk, keys: readonly number[]): void {
  const folder = '/data/streams/a/date=2024-11-23';
  disk.makeFolder(folder);
  const rows: ListedRow[] = keys.map((key) => ({ key, payload: 'x' }));
  disk.files.set(`${folder}/${fileName(keys[0]!, keys.at(-1)!, 1)}`, Buffer.from(JSON.stringify(rows)));
}

test('becomes files, and is removed', () => {
  const disk = new MemoryDisk();
  const keys = died(disk);
  const { restored } = restart(disk);
  assert.deepEqual(keysIn(disk), keys);
  assert.deepEqual(journals(disk), []);
  const [{ file, torn, left }] = restored as [(typeof restored)[0]];
  assert.deepEqual([file?.rows, file?.seq, file?.firstKey, file?.lastKey], [5, 9, keys[0], keys[4]]);
  assert.deepEqual([torn, left], [0, 0]);
});

test('is not looked for in vain: an end is told where nothing was left', () => {
  assert.deepEqual(restart(new MemoryDisk()).restored, [
    { kind: 'restored', stream: 'a', file: null, torn: 0, unreadable: false, left: 0 },
  ]);
});

test('a torn end is cut off and told', () => {
  const disk = new MemoryDisk();
  const keys = died(disk);
  disk.files.set(SEGMENT, disk.files.get(SEGMENT)!.subarray(0, -3));
  const { restored } = restart(disk);
  assert.deepEqual(keysIn(disk), keys.slice(0, 2));
  assert.ok(restored[0]!.torn > 0);
  assert.deepEqual(journals(disk), []);
});

test('rows that are in a file already are not written again', () => {
  const disk = new MemoryDisk();
  const keys = died(disk);
  file(disk, keys.slice(0, 3));
  restart(disk);
  assert.deepEqual(keysIn(disk), keys);
  const other = new MemoryDisk();
  file(other, died(other));
  const { restored } = restart(other);
  assert.deepEqual([restored[0]?.file, restored[0]?.left], [null, 0]);
  assert.deepEqual(keysIn(other), keys);
  assert.deepEqual(journals(other), []);
});

test('a file of later messages, committed before it was read, takes nothing from it', () => {
  const disk = new MemoryDisk();
  const keys = died(disk);
  const later = [LATER, LATER + 1];
  file(disk, later);
  restart(disk);
  assert.deepEqual(keysIn(disk), [...keys, ...later]);
});

test('a segment that cannot be removed goes later; its file is told at once', () => {
  const disk = new MemoryDisk();
  const keys = died(disk);
  disk.onOperation = (operation) => {
    if (operation === 'remove') throw new Error('EROFS: read-only file system, unlink');
  };
  const rig = restart(disk);
  assert.deepEqual(rig.kinds(), ['failed']);
  disk.onOperation = () => {};
  rig.pass(100);
  assert.deepEqual(rig.kinds(), ['failed', 'recovered']);
  assert.deepEqual(journals(disk), []);
  assert.deepEqual(
    rig.restored.map((report: RestoredReport) => [report.file?.rows, report.left]),
    [[5, 0]],
  );
  assert.deepEqual(keysIn(disk), keys);
});

test('a folder that cannot be listed: nobody is told that his message is safe before it can', () => {
  const disk = new MemoryDisk();
  const keys = died(disk);
  disk.onOperation = (operation) => {
    if (operation === 'list') throw new Error('EIO: i/o error, scandir');
  };
  const rig = new Rig({ disk, firstKey: LATER });
  const writer = rig.add(stream('a', {}, 'process'));
  const own = rig.append(writer, 2, 'x', true);
  rig.settle();
  assert.deepEqual(
    rig.reports.map((report) => (report.kind === 'failed' ? report.what : report.kind)),
    ['journal', 'recovery'],
  );
  disk.onOperation = () => {};
  rig.pass(100);
  assert.deepEqual(rig.kinds().slice(2), ['recovered', 'safe', 'recovered']);
  assert.deepEqual(keysIn(disk), keys);
  assert.deepEqual(journals(disk), ['/data/streams/a/journal/0000000002.journal']);
  rig.post({ kind: 'flush', id: 1, stream: 'a', reason: 'request' });
  rig.settle();
  assert.deepEqual(keysIn(disk), [...keys, ...own]);
});

test('a segment that lacks its header goes; one that is none is set aside when it is noted what it took along', () => {
  const disk = new MemoryDisk();
  died(disk);
  disk.files.set(SEGMENT, new Uint8Array(7));
  restart(disk);
  assert.deepEqual(journals(disk), []);
  const other = new MemoryDisk();
  died(other);
  other.files.set(SEGMENT, Buffer.from('something else, longer than a header'));
  const rig = restart(other);
  assert.deepEqual(
    rig.restored.map(({ file, left, unreadable }) => [file, left, unreadable]),
    [[null, 0, true]],
  );
  assert.deepEqual([...other.files.keys()], [SEGMENT]);
  rig.post({ kind: 'noted', stream: 'a' });
  rig.settle();
  assert.deepEqual([...other.files.keys()], [`${SEGMENT}.corrupt`]);
  assert.equal(rig.reports[0]?.kind, 'remark');
});

test('a segment whose predecessor is missing tells so, and stays until that is noted', () => {
  const disk = new MemoryDisk();
  const first = new Rig({ disk });
  first.making.deferred = true;
  const writer = first.add(stream('a', { messages: 3 }, 'process'));
  const keys = first.append(writer, 5);
  first.settle();
  assert.equal(journals(disk).length, 2);
  disk.files.delete(SEGMENT);
  for (const noted of [false, true]) {
    const rig = restart(disk);
    assert.deepEqual(
      rig.restored.map(({ file, unreadable }) => [file?.rows, unreadable]),
      [[noted ? undefined : 2, true]],
      'also when it is read again',
    );
    assert.equal(journals(disk).length, 1);
    if (!noted) continue;
    rig.post({ kind: 'noted', stream: 'a' });
    rig.settle();
    assert.deepEqual(journals(disk), []);
  }
  assert.deepEqual(keysIn(disk), keys.slice(3));
});

test('two processes died, one after the other: segments have numbers of their own', () => {
  const disk = new MemoryDisk();
  const keys = died(disk);
  const second = new Rig({ disk, firstKey: LATER });
  const writer = second.add(stream('a', {}, 'process'));
  disk.onOperation = (operation, path) => {
    if (operation === 'write' && path.endsWith('.tmp')) throw new Error('ENOSPC: no space left on device');
  };
  keys.push(...second.append(writer, 3));
  second.settle();
  assert.deepEqual(journals(disk), [SEGMENT, '/data/streams/a/journal/0000000002.journal']);
  disk.onOperation = () => {};
  const third = new Rig({ disk, firstKey: LATER + 1000 });
  third.add(stream('a', {}, 'process'));
  third.settle();
  assert.deepEqual(keysIn(disk), keys);
  assert.deepEqual(journals(disk), []);
});

test('a disk that fails: it is tried again, and what runs goes on meanwhile', () => {
  const disk = new MemoryDisk();
  const keys = died(disk);
  disk.onOperation = (operation, path) => {
    if (operation === 'read' && path === SEGMENT) throw new Error('EIO: i/o error, read');
  };
  const rig = new Rig({ disk, firstKey: LATER });
  const writer = rig.add(stream('a', { messages: 2 }, 'process'));
  const own = rig.append(writer, 2);
  rig.settle();
  assert.deepEqual(keysIn(disk), own);
  assert.deepEqual(
    rig.reports.map((report) => (report.kind === 'failed' ? report.what : report.kind)),
    ['committed', 'recovery'],
  );
  disk.onOperation = () => {};
  rig.pass(100);
  assert.deepEqual(keysIn(disk), [...keys, ...own]);
});

test('a thread that takes the place of another: what the ring has is not written twice', () => {
  const disk = new MemoryDisk();
  const first = new Rig({ disk });
  const writer = first.add(stream('a', {}, 'process'));
  const keys = first.append(writer, 5);
  first.settle();
  // The ring has given up the first two; the rest the next thread takes over again.
  const second = new Rig({ disk, firstKey: keys[1]! });
  const ring = second.add(stream('a', {}, 'process'), 1024, 1024 * 1024, {
    ringKey: keys[2]!,
  });
  second.append(ring, 3);
  second.settle();
  assert.deepEqual(keysIn(disk), keys.slice(0, 2));
  assert.equal(journals(disk).length, 2, 'the first is needed until the rows of the ring are in a file');
  second.post({ kind: 'flush', id: 1, stream: 'a', reason: 'request' });
  second.settle();
  assert.deepEqual(keysIn(disk), keys);
  assert.deepEqual(journals(disk), []);
});

test('a thread that takes the place of another: a file of which nobody was told does not stay', () => {
  const disk = new MemoryDisk();
  const first = new Rig({ disk });
  const keys = first.append(first.add(stream('a', {}, 'process')), 5);
  first.settle();
  file(disk, keys.slice(0, 4));
  const second = new Rig({ disk, firstKey: keys[1]! });
  const ring = second.add(stream('a', { messages: 3 }, 'process'), 1024, 1024 * 1024, {
    ringKey: keys[2]!,
    numbers: { untoldFrom: 1 },
  });
  second.append(ring, 3);
  second.settle();
  assert.deepEqual(keysIn(disk), keys);
  assert.deepEqual(
    second.restored.map((report: RestoredReport) => report.file?.rows),
    [2],
  );
});

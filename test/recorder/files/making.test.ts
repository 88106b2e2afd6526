/** What goes on while another thread makes a file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generator } from '../../catalog/generator.js';
import { MemoryDisk } from '../memory-disk.js';
import { type ListedRow, Rig, stream } from '../rig.js';

const JOURNAL = '/data/streams/a/journal';

function deferred(disk = new MemoryDisk()): { rig: Rig; disk: MemoryDisk } {
  const rig = new Rig({ disk });
  rig.making.deferred = true;
  return { rig, disk };
}

function safes(rig: Rig): number[] {
  return rig.reports.flatMap((report) => (report.kind === 'safe' ? [report.upTo] : []));
}

function segments(disk: MemoryDisk): string[] {
  return [...disk.files.keys()].filter((path) => path.startsWith(JOURNAL)).map((path) => path.slice(-9));
}

/** Keys in files, in the order of the files' commits. */
function keysIn(rig: Rig, disk: MemoryDisk): number[] {
  return rig
    .committed()
    .flatMap(({ file }) => JSON.parse(`${Buffer.from(disk.files.get(`/data/${file.path}`)!)}`) as ListedRow[])
    .map(({ key }) => key);
}

test('messages are taken over, kept in the journal and told safe meanwhile', () => {
  const { rig, disk } = deferred();
  const writer = rig.add(stream('a', { messages: 4 }, 'strict'));
  rig.append(writer, 4, 'x', true);
  rig.settle();
  assert.deepEqual(safes(rig), [4]);
  rig.append(writer, 2, 'x', true);
  rig.settle();
  assert.deepEqual(safes(rig), [4, 6]);
  assert.deepEqual(rig.files(), [], 'no file is there yet');
  assert.deepEqual(segments(disk), ['1.journal', '2.journal']);
  assert.equal(writer.written - writer.reusable, 6, 'the ring still has them all');
  rig.making.make();
  rig.settle();
  assert.deepEqual(rig.files(), [['messages', 4]]);
  assert.equal(rig.committed()[0]!.upTo, 4);
  assert.deepEqual(segments(disk), ['2.journal'], 'only what is in the file went');
});

test('what is due meanwhile waits in the ring; the next file is begun when the one before is there', () => {
  const { rig, disk } = deferred();
  const writer = rig.add(stream('a', { messages: 4 }));
  const keys = rig.append(writer, 10);
  rig.settle();
  assert.equal(rig.waits.at(-1)!.kind, 'sleep');
  assert.equal(rig.waits.at(-1)!.ms, Number.POSITIVE_INFINITY, 'the outcome rings the doorbell');
  for (let files = 1; files <= 2; files++) {
    rig.making.make();
    rig.settle();
    assert.equal(rig.files().length, files);
  }
  assert.equal(rig.making.make(), false);
  rig.post({ kind: 'flush', id: 1, stream: 'a', reason: 'request' });
  rig.settle();
  rig.making.make();
  rig.settle();
  assert.deepEqual(rig.files().at(-1), ['request', 2]);
  assert.deepEqual(keysIn(rig, disk), keys);
});

test('a request for what is being written is answered with that file, and no other is begun', () => {
  const { rig } = deferred();
  const writer = rig.add(stream('a', { messages: 3 }));
  rig.append(writer, 3);
  rig.settle();
  rig.post({ kind: 'flush', id: 7, stream: 'a', reason: 'request' });
  rig.settle();
  rig.append(writer, 1);
  rig.settle();
  assert.deepEqual(rig.kinds(), []);
  rig.making.make();
  rig.settle();
  assert.deepEqual(rig.kinds(), ['committed', 'done']);
  assert.equal(rig.making.make(), false);
});

test('a file that fails keeps its rows and its name; what came after them follows', () => {
  const { rig, disk } = deferred();
  const writer = rig.add(stream('a', { messages: 3 }, 'process'));
  const keys = rig.append(writer, 3);
  rig.settle();
  keys.push(...rig.append(writer, 5, 'x', true));
  rig.settle();
  disk.onOperation = (operation) => {
    if (operation === 'rename') throw new Error('EIO: i/o error, rename');
  };
  rig.making.make();
  rig.settle();
  assert.deepEqual(
    rig.reports.filter(({ kind }) => kind === 'failed'),
    [
      {
        kind: 'failed',
        stream: 'a',
        what: 'file',
        error: 'EIO: i/o error, rename',
        messages: 8,
        full: false,
      },
    ],
  );
  assert.deepEqual(safes(rig), [8], 'the journal has them, the limit of a file notwithstanding');
  disk.onOperation = () => {};
  rig.pass(100);
  for (let files = 0; files < 2; files++) {
    rig.making.make();
    rig.settle();
  }
  assert.deepEqual(rig.files(), [
    ['messages', 3],
    ['messages', 5],
  ]);
  assert.deepEqual(
    rig.committed().map(({ file }) => file.seq),
    [1, 2],
  );
  assert.deepEqual(keysIn(rig, disk), keys);
  assert.deepEqual(segments(disk), []);
});

test('nothing is told safe before what is in front of it; rows whose file is being made are journaled when they can be', () => {
  const { rig, disk } = deferred();
  const writer = rig.add(stream('a', { messages: 2 }, 'strict'));
  disk.onOperation = (operation) => {
    if (operation === 'syncData') throw new Error('EIO: i/o error, fdatasync');
  };
  rig.append(writer, 2, 'x', true);
  rig.settle();
  assert.deepEqual(safes(rig), []);
  rig.append(writer, 1, 'x', true);
  rig.pass(100);
  assert.deepEqual(safes(rig), []);
  disk.onOperation = () => {};
  rig.pass(200);
  assert.deepEqual(safes(rig), [3], 'without a file');
  assert.equal(segments(disk).length, 4, 'two that were given up, one of each batch');
  rig.making.make();
  rig.settle();
  assert.deepEqual(segments(disk), ['4.journal']);
});

test('a file makes safe what could not be journaled', () => {
  const { rig, disk } = deferred();
  const writer = rig.add(stream('a', { messages: 2 }, 'strict'));
  disk.onOperation = (operation) => {
    if (operation === 'syncData') throw new Error('EIO: i/o error, fdatasync');
  };
  rig.append(writer, 3, 'x', true);
  rig.settle();
  rig.making.make();
  rig.settle();
  assert.deepEqual(safes(rig), []);
  disk.onOperation = () => {};
  rig.pass(100);
  assert.deepEqual(safes(rig), [3]);
});

test('a stream that goes, and the end, wait for the file that is being made', () => {
  const { rig } = deferred();
  const a = rig.add(stream('a', { messages: 2 }));
  const b = rig.add(stream('b', { messages: 2 }));
  rig.append(a, 3);
  rig.append(b, 3);
  rig.settle();
  rig.post({ kind: 'remove', id: 1, stream: 'a' });
  rig.settle();
  assert.deepEqual(rig.kinds(), []);
  for (let files = 0; files < 3; files++) {
    rig.making.make();
    rig.settle();
  }
  assert.deepEqual(rig.kinds(), ['committed', 'committed', 'committed', 'done']);
  rig.post({ kind: 'stop' });
  rig.settle();
  assert.equal(rig.reports.at(-1)!.kind, 'done');
  rig.making.make();
  rig.loop.run();
  assert.deepEqual(rig.reports.at(-1), { kind: 'stopped', unwritten: [] });
});

test('while a file is made of one left segment the next is read; the rest waits', () => {
  const disk = new MemoryDisk();
  const before = new Rig({ disk });
  before.making.deferred = true;
  const writer = before.add(stream('a', { messages: 2 }, 'process'));
  const keys: number[] = [];
  disk.onOperation = (operation, path) => {
    if (operation === 'remove' && path.startsWith(JOURNAL)) throw new Error('EIO: i/o error, unlink');
  };
  for (let segment = 0; segment < 4; segment++) {
    keys.push(...before.append(writer, 2));
    before.settle();
    before.making.make();
    before.settle();
  }
  disk.onOperation = () => {};
  for (const path of disk.files.keys()) if (path.endsWith('.parquet')) disk.files.delete(path);
  assert.equal(segments(disk).length, 4);

  const rig = new Rig({ disk, firstKey: keys.at(-1)! + 1 });
  rig.making.deferred = true;
  rig.add(stream('a', {}, 'process'));
  rig.settle();
  const reads = () => disk.log.filter((line) => line.startsWith('open') && line.endsWith('.journal')).length;
  assert.equal(reads(), 2);
  rig.making.make();
  rig.settle();
  assert.equal(reads(), 3);
  while (rig.making.make()) rig.settle();
  assert.deepEqual(
    rig.restored.map(({ file, left }) => [file!.rows, left]),
    [
      [2, 3],
      [2, 2],
      [2, 1],
      [2, 0],
    ],
  );
  assert.deepEqual(segments(disk), []);
});

test('whatever comes first, every message is in one file, in order, and safe only when it is kept', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = generator(seed);
    const { rig, disk } = deferred();
    const level = (['process', 'interval', 'strict'] as const)[seed % 3]!;
    const writer = rig.add(stream('a', { messages: 8, every: 500 }, level), 256);
    const keys: number[] = [];
    let failing = false;
    disk.onOperation = (operation) => {
      if (failing && operation !== 'close' && random() < 0.2) throw new Error('EIO');
    };
    for (let step = 0; step < 200; step++) {
      const choice = random();
      const room = 256 - (writer.written - writer.committed);
      if (choice < 0.4) {
        const count = Math.min(room, Math.floor(random() * 6));
        if (count > 0) keys.push(...rig.append(writer, count, 'x', random() < 0.5));
      } else if (choice < 0.6) rig.making.make();
      else if (choice < 0.7) rig.pass(random() * 200);
      else if (choice < 0.75) failing = !failing;
      else if (choice < 0.8) rig.post({ kind: 'flush', id: step, stream: 'a', reason: 'request' });
      else rig.settle();
      const upTo = rig.committed().at(-1)?.upTo ?? 0;
      if (upTo > writer.committed) writer.commit(upTo);
    }
    failing = false;
    do rig.pass(20_000);
    while (rig.making.make());
    rig.post({ kind: 'stop' });
    for (let turn = 0; rig.reports.at(-1)?.kind !== 'stopped'; turn++) {
      assert.ok(turn < 10_000, `seed ${seed} does not come to an end`);
      rig.loop.turn();
      rig.making.make();
    }
    assert.deepEqual(keysIn(rig, disk), keys, `seed ${seed}`);
    assert.deepEqual(segments(disk), [], `seed ${seed}`);
    assert.ok(safes(rig).every((upTo, i, all) => i === 0 || upTo > all[i - 1]!));
  }
});

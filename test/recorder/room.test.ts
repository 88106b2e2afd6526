import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFull, Room } from '../../src/recorder/room.js';
import { MemoryDisk } from './memory-disk.js';
import { Rig, stream } from './rig.js';

test('what would go below the reserve is refused, until the reserve is opened', () => {
  const disk = new MemoryDisk();
  const room = new Room(disk, '/data', 100);
  disk.room = 150;
  room.claim(50);
  assert.throws(() => room.claim(51), {
    code: 'DISK_FULL',
    message: /51 bytes.*150 left.*100 are kept free/,
  });
  room.openReserve();
  room.claim(51);
});

test('without a reserve nobody asks the disk', () => {
  const disk = new MemoryDisk();
  disk.room = 0;
  new Room(disk, '/data', 0).claim(1);
});

test('a full disk is told from one that fails', () => {
  const withCode = (code: string) => Object.assign(new Error('x'), { code });
  assert.deepEqual(
    ['ENOSPC', 'EDQUOT', 'DISK_FULL', 'EIO', 'EROFS'].map((code) => isFull(withCode(code))),
    [true, true, true, false, false],
  );
  assert.equal(isFull(new Error('x')), false);
});

test('without room every attempt is told, they come every second at least, and `retry` makes one at once', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk, reserve: 1000 });
  const writer = rig.add(stream('a', { messages: 2 }));
  const told = () => rig.kinds().filter((kind) => kind === 'no-room').length;
  disk.room = 1000;
  rig.append(writer, 2);
  rig.settle();
  assert.deepEqual(rig.kinds(), ['failed', 'no-room']);
  for (let i = 0; i < 10; i++) rig.pass(1000);
  assert.ok(told() >= 10, `${told()} attempts in 10 s`);
  const before = told();
  rig.post({ kind: 'retry', stream: 'a' });
  rig.settle();
  assert.equal(told(), before + 1);
  disk.room = 100_000;
  rig.post({ kind: 'retry', stream: 'a' });
  rig.settle();
  assert.deepEqual(rig.kinds().slice(-2), ['recovered', 'committed']);
});

test('the journal stops at the reserve; the last files of a stop may use it', () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk, reserve: 1000 });
  const writer = rig.add(stream('a', {}, 'strict'));
  disk.room = 999;
  rig.append(writer, 2, 'x', true);
  rig.settle();
  assert.deepEqual(rig.kinds(), ['failed', 'no-room']);
  rig.post({ kind: 'stop' });
  rig.loop.turn();
  assert.deepEqual(rig.files(), [['shutdown', 2]]);
});

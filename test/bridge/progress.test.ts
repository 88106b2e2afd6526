import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Progress } from '../../src/bridge/progress.js';
import { FakeTime } from './fixture.js';

function rig(window: number, position = 100) {
  const time = new FakeTime();
  const saved: number[] = [];
  const faults: unknown[] = [];
  let rooms = 0;
  let fails = false;
  const progress = new Progress({
    position,
    window,
    time,
    save: async (key) => {
      await turn();
      if (fails) throw new Error('disk full');
      saved.push(key);
    },
    onFault: (error) => faults.push(error),
    onRoom: () => rooms++,
  });
  return { progress, time, saved, faults, rooms: () => rooms, fail: (now: boolean) => (fails = now) };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn();
}

test('the position is before the first message that is not acknowledged', () => {
  const { progress } = rig(10);
  assert.equal(progress.position, 100);
  for (const key of [110, 120, 130]) progress.send(key);
  assert.equal(progress.position, 109);
  assert.equal(progress.oldest, 110);
  progress.settle(120);
  assert.equal(progress.position, 109);
  progress.settle(110);
  assert.equal(progress.position, 129);
  progress.skip(140);
  assert.equal(progress.position, 129);
  progress.settle(130);
  assert.equal(progress.position, 140);
  assert.equal(progress.oldest, undefined);
});

test('no more than the window is sent beyond what is saved', async () => {
  const { progress, saved, rooms } = rig(4);
  for (let key = 101; key <= 104; key++) {
    assert.ok(progress.room);
    progress.send(key);
  }
  assert.ok(!progress.room);
  progress.settle(101);
  // Half of the window is acknowledged.
  progress.settle(102);
  assert.ok(!progress.room, 'it is not saved yet');
  await settled();
  assert.deepEqual(saved, [102]);
  assert.equal(rooms(), 1);
  progress.send(105);
  progress.send(106);
  assert.ok(!progress.room);
});

test('what is acknowledged out of order frees nothing before the first one', async () => {
  const { progress, saved } = rig(4);
  for (let key = 101; key <= 104; key++) progress.send(key);
  for (const key of [102, 103, 104]) progress.settle(key);
  await settled();
  assert.deepEqual(saved, []);
  assert.ok(!progress.room);
  progress.settle(101);
  await progress.save();
  assert.deepEqual(saved, [104]);
  assert.ok(progress.room);
});

test('few acknowledgements and skipped messages are saved after some seconds', async () => {
  const { progress, saved, time } = rig(1000);
  progress.send(101);
  progress.settle(101);
  progress.skip(150);
  time.advance(4999);
  await settled();
  assert.deepEqual(saved, []);
  time.advance(1);
  await settled();
  assert.deepEqual(saved, [150]);
  time.advance(10_000);
  await settled();
  assert.deepEqual(saved, [150], 'nothing new is not saved again');
});

test('begins again behind the position, and late acknowledgements change nothing', async () => {
  const { progress } = rig(3);
  for (let key = 101; key <= 103; key++) progress.send(key);
  progress.settle(101);
  progress.restart();
  assert.equal(progress.read, 101);
  assert.equal(progress.position, 101);
  progress.settle(103);
  assert.equal(progress.position, 101);
  assert.ok(progress.room);
  progress.send(102);
  progress.send(103);
  assert.ok(!progress.room);
});

test('a disk that is full stops nothing', async () => {
  const { progress, saved, faults, fail } = rig(2);
  fail(true);
  progress.send(101);
  progress.send(102);
  progress.settle(101);
  await settled();
  assert.equal(faults.length, 1);
  assert.ok(progress.room);
  fail(false);
  progress.settle(102);
  await settled();
  assert.deepEqual(saved, [102]);
});

test('the end saves what there is and leaves no timer', async () => {
  const { progress, saved, time } = rig(1000);
  progress.send(101);
  progress.settle(101);
  await progress.close();
  assert.deepEqual(saved, [101]);
  assert.deepEqual(time.due, []);
});

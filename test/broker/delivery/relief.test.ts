import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Relief } from '../../../src/broker/delivery/relief.js';

test('those who wait go on one after the other while there is room, then it is the turn of the others', () => {
  let room = 0;
  const relief = new Relief(() => room > 0, 1000);
  const calls: string[] = [];
  const waiter = (name: string): (() => void) => {
    const call = () => {
      calls.push(name);
      room--;
      relief.wait(call, false);
    };
    return call;
  };
  for (const name of ['a', 'b', 'c']) relief.wait(waiter(name), false);
  for (const [now, expected] of [
    [0, ''],
    [2, 'ab'],
    [2, 'ca'],
    [1, 'b'],
    [4, 'cabc'],
  ] as const) {
    room = now;
    calls.length = 0;
    relief.look();
    assert.equal(calls.join(''), expected);
  }
  assert.equal(relief.waiting, 3);
});

test('who asks twice is called once', () => {
  const relief = new Relief(() => true, 1000);
  let calls = 0;
  const callback = () => calls++;
  relief.wait(callback, true);
  relief.wait(callback, true);
  relief.look();
  assert.equal(calls, 1);
  relief.look();
  assert.equal(calls, 1);
});

test('for a subscriber that takes nothing only the patient wait; one that takes a little is waited for', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const relief = new Relief(() => false, 500);
  const calls: string[] = [];
  relief.wait(() => calls.push('patient'), false);
  relief.wait(() => calls.push('impatient'), true);
  for (let i = 0; i < 10; i++) {
    t.mock.timers.tick(400);
    relief.progress();
  }
  assert.deepEqual(calls, []);
  for (let i = 0; i < 2; i++) t.mock.timers.tick(500);
  assert.deepEqual(calls, ['impatient']);
  assert.ok(relief.stalled);
  assert.equal(relief.waiting, 1);
  relief.progress();
  assert.ok(!relief.stalled);
  relief.close();
  assert.deepEqual(calls, ['impatient', 'patient']);
});

test('who does not wait any more is not called, and sets no timer off', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const relief = new Relief(() => true, 500);
  const callback = () => assert.fail('called');
  relief.wait(callback, true);
  relief.cancel(callback);
  relief.cancel(callback);
  assert.equal(relief.waiting, 0);
  t.mock.timers.tick(5000);
  assert.ok(!relief.stalled);
  relief.look();
  relief.close();
});

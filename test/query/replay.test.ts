import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { MqttStreamError } from '../../src/errors.js';
import type { Outgoing, Outlet } from '../../src/query/outlet.js';
import { type Pace, type ReplayOrder, replay, unlessAborted } from '../../src/query/replay.js';
import { keysOf, World } from './world.js';

const ALL = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];
const NO_PACE: Pace = { now: () => assert.fail('no clock'), sleep: () => assert.fail('no sleep') };

function order(more: Partial<ReplayOrder> = {}): ReplayOrder {
  return { id: 'r', ranges: ALL, topic: null, rate: 0, limit: null, ...more };
}

/** Keeps what is sent; `busy` says what it answers. */
class FakeOutlet implements Outlet {
  readonly sent: Outgoing[] = [];
  busy: (message: Outgoing) => Promise<void> | null = () => null;

  send(message: Outgoing): Promise<void> | null {
    this.sent.push(message);
    return this.busy(message);
  }

  get keys(): number[] {
    return this.sent.map(({ topic }) => Number(topic.split('/')[2]));
  }
}

/** A clock that stands still but for sleeping. ms. */
class FakePace implements Pace {
  time = 5000;
  readonly sleeps: number[] = [];

  now(): number {
    return this.time;
  }

  async sleep(ms: number): Promise<void> {
    this.sleeps.push(ms);
    this.time += ms;
  }
}

async function worldOf(count: number): Promise<World> {
  const world = await World.make({ messages: 8192, bytes: 4 * 1024 * 1024 });
  world.publishMany(count);
  return world;
}

const never = () => new AbortController().signal;

test('several ranges, one after the other', async () => {
  const { parts } = await worldOf(20);
  const outlet = new FakeOutlet();
  const ranges = [
    { start: 0, end: 1002 },
    { start: 1010, end: 1010 },
    { start: 1018, end: 9999 },
  ];
  const result = await replay(parts, order({ ranges }), outlet, NO_PACE, never());
  assert.deepEqual(outlet.keys, [1000, 1001, 1002, 1010, 1018, 1019]);
  assert.deepEqual(result, { count: 6, firstKey: 1000, lastKey: 1019 });
  const nothing = await replay(parts, order({ ranges: [] }), outlet, NO_PACE, never());
  assert.deepEqual(nothing, { count: 0, firstKey: null, lastKey: null });
});

test('a limit ends it, over all ranges, and nothing more is read', async () => {
  const world = await World.make({ messages: 4 });
  for (let i = 0; i < 5; i++) {
    world.publishMany(4);
    world.commit();
  }
  for (const [limit, files] of [
    [4, 1],
    [5, 2],
    [9, 3],
  ] as const) {
    const outlet = new FakeOutlet();
    world.read.length = 0;
    const ranges = [
      { start: 0, end: 1001 },
      { start: 1002, end: 9999 },
    ];
    const result = await replay(world.parts, order({ limit, ranges }), outlet, NO_PACE, never());
    assert.deepEqual(outlet.keys, keysOf(world.messages.values()).slice(0, limit));
    assert.equal(result.count, limit);
    assert.equal(new Set(world.read.map(({ path }) => path)).size, files);
  }
});

for (const rate of [1, 10, 0.5]) {
  test(`rate ${rate}: every message at its time, also where the ranges have a hole`, async () => {
    const world = await World.make({ messages: 64 });
    // Microseconds: 1 s, 1.5 s, 1.5 s + 100 us, 3 s, 10 s
    const times = [1_000_000, 1_500_000, 1_500_100, 3_000_000, 10_000_000];
    for (const time of times) {
      world.jump(time);
      world.publish();
    }
    const pace = new FakePace();
    const due: number[] = [];
    const outlet = new FakeOutlet();
    outlet.busy = () => {
      due.push(pace.time);
      return null;
    };
    const ranges = [
      { start: 0, end: 2_000_000 },
      { start: 2_500_000, end: 99_000_000 },
    ];
    await replay(world.parts, order({ rate, ranges }), outlet, pace, never());
    assert.equal(due.length, 5);
    for (const [i, time] of times.entries()) {
      const expected = 5000 + (time - times[0]!) / 1000 / rate;
      assert.ok(Math.abs(due[i]! - expected) <= 1, `${due[i]} is not ${expected}`);
    }
  });
}

test('a paced replay that is late does not sleep, and does not run ahead when it has caught up', async () => {
  const world = await World.make({ messages: 64 });
  for (let i = 0; i < 5; i++) {
    world.jump(1_000_000 + i * 100_000);
    world.publish();
  }
  const pace = new FakePace();
  const outlet = new FakeOutlet();
  outlet.busy = () => {
    if (outlet.sent.length === 1) pace.time += 250;
    return null;
  };
  await replay(world.parts, order({ rate: 1 }), outlet, pace, never());
  assert.deepEqual(pace.sleeps, [50, 100]);
});

test('a pause longer than a timer can be is slept in pieces', async () => {
  const world = await World.make({ messages: 64 });
  world.publish();
  world.jump(1000 + 60 * 86_400_000_000);
  world.publish();
  const pace = new FakePace();
  await replay(world.parts, order({ rate: 1 }), new FakeOutlet(), pace, never());
  assert.ok(pace.sleeps.every((ms) => ms < 2 ** 31));
  assert.equal(Math.round(pace.time), 5000 + 60 * 86_400_000);
});

test('back-pressure: nothing is sent while subscribers are busy', async () => {
  const { parts } = await worldOf(10);
  const outlet = new FakeOutlet();
  let resolve = () => {};
  outlet.busy = () =>
    new Promise((done) => {
      resolve = done;
    });
  const running = replay(parts, order(), outlet, NO_PACE, never());
  for (let i = 1; i <= 10; i++) {
    for (let turns = 0; turns < 5; turns++) await turn();
    assert.equal(outlet.sent.length, i);
    resolve();
  }
  assert.equal((await running).count, 10);
});

test('the event loop gets its turn even if no subscriber ever is busy', async () => {
  const { parts } = await worldOf(8000);
  const outlet = new FakeOutlet();
  let [last, most] = [0, 0];
  const look = () => {
    most = Math.max(most, outlet.sent.length - last);
    last = outlet.sent.length;
    if (last < 8000) setImmediate(look);
  };
  setImmediate(look);
  await replay(parts, order(), outlet, NO_PACE, never());
  assert.ok(most <= 256, `${most} messages in one turn`);
});

test('an abort ends it at once: between messages, while it sleeps, while subscribers are busy', async () => {
  const reason = new MqttStreamError('SHUTTING_DOWN');
  const { parts } = await worldOf(10);

  const between = new AbortController();
  const outlet = new FakeOutlet();
  outlet.busy = () => {
    if (outlet.sent.length === 3) between.abort(reason);
    return null;
  };
  await assert.rejects(replay(parts, order(), outlet, NO_PACE, between.signal), reason);
  assert.equal(outlet.sent.length, 3);

  const asleep = new AbortController();
  const paced = new FakeOutlet();
  const pace: Pace = {
    now: () => 0,
    sleep: async () => asleep.abort(reason),
  };
  await assert.rejects(replay(parts, order({ rate: 1e-6 }), paced, pace, asleep.signal), reason);
  assert.equal(paced.sent.length, 1);

  const stalled = new AbortController();
  const stuck = new FakeOutlet();
  stuck.busy = () => new Promise(() => {});
  const running = replay(parts, order(), stuck, NO_PACE, stalled.signal);
  for (let turns = 0; turns < 5; turns++) await turn();
  stalled.abort(reason);
  await assert.rejects(running, reason);
  assert.equal(stuck.sent.length, 1);

  await assert.rejects(replay(parts, order(), new FakeOutlet(), NO_PACE, stalled.signal), reason);
});

test('an outlet that throws ends it, and the file is let go', async () => {
  const world = await World.make({ messages: 4 });
  world.publishMany(4);
  world.commit();
  world.publishMany(4);
  const outlet = new FakeOutlet();
  outlet.busy = () => {
    throw new Error('of the outlet');
  };
  await assert.rejects(replay(world.parts, order(), outlet, NO_PACE, never()), /of the outlet/);
  await world.catalog.retain('vehicle', { maxBytes: 0, maxFiles: 0, maxAge: 1 }, 1e15);
  assert.equal(world.folder.unlinked.length, 1);
});

test('unlessAborted leaves nothing behind on a signal that outlives it', async () => {
  const controller = new AbortController();
  assert.equal(await unlessAborted(Promise.resolve(5), controller.signal), 5);
  await assert.rejects(unlessAborted(Promise.reject(new Error('own')), controller.signal), /own/);
  await turn();
  assert.deepEqual(EventEmitter.getEventListeners(controller.signal, 'abort'), []);
  controller.abort(new Error('given reason'));
  await assert.rejects(unlessAborted(Promise.resolve(5), controller.signal), /given reason/);
});

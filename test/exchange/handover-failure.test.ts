import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { generator } from '../catalog/generator.js';
import { whole } from '../ring/samples.js';
import { payloadsOf } from './fixture.js';
import { rig, timers } from './handover-rig.js';

test('a callback that fails is offered the batch again, once a second, and publishers wait', async (t) => {
  const { tick } = timers(t);
  let offers = 0;
  const { publish, batches, failures, exchange } = rig(
    () => {
      if (++offers <= 3) throw new Error(`refusal ${offers}`);
    },
    {},
    2,
  );
  publish('1', '2', '3');
  await tick(0);
  assert.equal(offers, 1);
  await tick(999);
  assert.equal(offers, 1);
  await tick(1);
  await tick(1000);
  assert.deepEqual(
    failures.map((error) => (error as Error).message),
    ['refusal 1', 'refusal 2', 'refusal 3'],
  );
  assert.equal(exchange.waitingMessages, 1);
  await tick(1000);
  assert.deepEqual(batches, [['1', '2']]);
  assert.equal(exchange.waitingMessages, 0);
});

test('while it fails, new messages do not offer it again', async (t) => {
  const { tick } = timers(t);
  let offers = 0;
  const { publish } = rig(
    () => {
      offers++;
      throw new Error('no');
    },
    { messages: 1 },
    100,
  );
  publish('1');
  await tick(0);
  publish('2', '3', '4', '5');
  await tick(500);
  assert.equal(offers, 1);
});

test('a flush asked for while it fails says FLUSH_FAILED, and the messages stay', async (t) => {
  timers(t);
  let fail = true;
  const { handover, publish, batches, stream } = rig(async () => {
    if (fail) throw new Error('the disk of the other side');
  });
  publish('1', '2');
  await assert.rejects(handover.flush(), {
    code: 'FLUSH_FAILED',
    message: /stream "taken" could not be written yet.*the disk of the other side/,
  });
  assert.deepEqual(payloadsOf(stream), ['1', '2']);
  fail = false;
  await handover.flush();
  assert.deepEqual(batches, [['1', '2']]);
});

test('closed, it offers nothing by itself any more', async (t) => {
  const { tick } = timers(t);
  let offers = 0;
  const { handover, publish } = rig(
    () => {
      offers++;
      throw new Error('no');
    },
    { every: 100 },
  );
  publish('1');
  handover.close();
  await tick(5000);
  assert.equal(offers, 0);
  await assert.rejects(handover.flush());
  await tick(5000);
  assert.equal(offers, 1);
});

test('every message is handed over once and in order, whatever fails and whoever waits', async (t) => {
  const { tick } = timers(t);
  for (let seed = 1; seed <= 15; seed++) {
    const random = generator(seed);
    const limits = { every: 50, messages: whole(random, 1, 6) };
    const { publish, batches, exchange, handover } = rig(
      async () => {
        for (let turns = whole(random, 0, 3); turns > 0; turns--) await turn();
        if (random() < 0.3) throw new Error('no');
      },
      limits,
      whole(random, 2, 8),
    );
    let count = 0;
    for (let step = 0; step < 60; step++) {
      for (let i = whole(random, 0, 4); i > 0; i--) publish(`${count++}`);
      if (random() < 0.1) await handover.flush().catch(() => {});
      await tick(whole(random, 0, 400));
    }
    for (let i = 0; i < 200 && batches.flat().length < count; i++) await tick(1000);
    assert.deepEqual(
      batches.flat(),
      Array.from({ length: count }, (_, i) => `${i}`),
      `seed ${seed}`,
    );
    assert.equal(exchange.waitingMessages, 0);
  }
});

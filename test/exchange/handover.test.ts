import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { payloadsOf } from './fixture.js';
import { rig, timers } from './handover-rig.js';

test('a flush hands over exactly what is in the ring, with all that is known of it', async () => {
  const seen: unknown[] = [];
  const { handover, publish, stream, batches } = rig((messages) => {
    seen.push(...messages);
  });
  await handover.flush();
  assert.deepEqual(batches, []);
  publish('1', '2', '3');
  await handover.flush();
  assert.deepEqual(batches, [['1', '2', '3']]);
  assert.deepEqual(seen[0], {
    key: 1000,
    topic: 't',
    clientId: 'p',
    qos: 1,
    retain: false,
    properties: null,
    payload: new Uint8Array([49]),
  });
  assert.equal(stream.ring.committed, 3);
  await handover.flush();
  assert.equal(batches.length, 1);
});

test('a full ring is handed over, publishers wait until the callback has resolved', async () => {
  let resolve = () => {};
  const { batches, exchange, publish, stream } = rig(
    () =>
      new Promise((done) => {
        resolve = done;
      }),
    {},
    2,
  );
  publish('1', '2', '3', '4', '5');
  await turn();
  await turn();
  assert.equal(exchange.waitingMessages, 3);
  assert.deepEqual(payloadsOf(stream), ['1', '2']);
  resolve();
  await turn();
  assert.deepEqual(batches, [['1', '2']]);
  assert.deepEqual(payloadsOf(stream), ['3', '4']);
  await turn();
  resolve();
  await turn();
  assert.deepEqual(batches, [
    ['1', '2'],
    ['3', '4'],
  ]);
  assert.equal(exchange.waitingMessages, 0);
  assert.deepEqual(payloadsOf(stream), ['5']);
});

test('the callback never runs in the middle of a publish', async () => {
  let publishing = false;
  const { publish, batches } = rig(() => assert.equal(publishing, false), { messages: 1 });
  publishing = true;
  publish('1', '2');
  publishing = false;
  await turn();
  await turn();
  assert.deepEqual(batches, [['1', '2']]);
});

test('limits by number and by bytes; what came while a batch was taken follows', async () => {
  for (const limits of [{ messages: 2 }, { bytes: 100 }]) {
    let taken = 0;
    const { publish, batches } = rig(
      () => {
        if (taken++ === 0) publish('3', '4'.padEnd(60, '4'), '5'.padEnd(60, '5'));
      },
      limits,
      100,
    );
    publish('1'.padEnd(60, '1'));
    await turn();
    await turn();
    publish('2'.padEnd(60, '2'));
    for (let i = 0; i < 10; i++) await turn();
    assert.deepEqual(
      batches.flat().map((payload) => payload[0]),
      ['1', '2', '3', '4', '5'],
    );
  }
});

test('every: at the age of the first message that waits', async (t) => {
  const { tick } = timers(t);
  const { publish, batches } = rig(() => {}, { every: 1000 });
  publish('1');
  await tick(999);
  publish('2');
  assert.deepEqual(batches, []);
  await tick(1);
  assert.deepEqual(batches, [['1', '2']]);
  publish('3');
  await tick(999);
  assert.equal(batches.length, 1);
  await tick(1);
  assert.deepEqual(batches, [['1', '2'], ['3']]);
});

test('a flush that meets another one waits for what it was asked for', async () => {
  const resolves: (() => void)[] = [];
  const { handover, publish, batches } = rig(() => new Promise((resolve) => resolves.push(resolve)));
  publish('1');
  const first = handover.flush();
  await turn();
  publish('2');
  const second = handover.flush();
  await turn();
  assert.equal(resolves.length, 1);
  resolves[0]!();
  await first;
  assert.deepEqual(batches, [['1']]);
  await turn();
  resolves[1]!();
  await second;
  assert.deepEqual(batches, [['1'], ['2']]);
});

test('a large ring is handed over in pieces, with turns between them', async () => {
  let turns = 0;
  const count = () => {
    turns++;
    if (batches.flat().length < 5000) setImmediate(count);
  };
  const { handover, publish, batches } = rig(() => {}, {}, 8192);
  publish(...Array.from({ length: 5000 }, (_, i) => `${i}`));
  setImmediate(count);
  await handover.flush();
  assert.deepEqual(
    batches.map(({ length }) => length),
    [1024, 1024, 1024, 1024, 904],
  );
  assert.deepEqual(
    batches.flat(),
    Array.from({ length: 5000 }, (_, i) => `${i}`),
  );
  assert.ok(turns >= 4, `${turns} turns`);
  publish('x'.repeat(700_000), 'y'.repeat(700_000), 'z');
  await handover.flush();
  assert.deepEqual(
    batches.slice(5).map((batch) => batch.map((payload) => payload[0])),
    [['x', 'y'], ['z']],
  );
});

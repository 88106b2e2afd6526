import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Exchange } from '../../src/exchange/exchange.js';
import { Handover, type HandoverLimits, type TakeBatch } from '../../src/exchange/handover.js';
import type { Stream } from '../../src/exchange/stream.js';
import { generator } from '../catalog/generator.js';
import { whole } from '../ring/samples.js';
import { exchangeOf, payloadsOf, publication, Router, streamOf } from './fixture.js';

interface Rig {
  readonly stream: Stream;
  readonly exchange: Exchange;
  readonly handover: Handover;
  /** Payloads of every batch that was taken. */
  readonly batches: string[][];
  readonly failures: unknown[];
  publish(...payloads: string[]): void;
}

const NEVER: HandoverLimits = {
  every: 0,
  bytes: Number.POSITIVE_INFINITY,
  messages: Number.POSITIVE_INFINITY,
};

/** A stream with policy `return` whose batches go to `take`. */
function rig(take: TakeBatch, limits: Partial<HandoverLimits> = {}, messages = 4): Rig {
  const stream = streamOf('taken', { messages, whenFull: 'return', bytes: 4 * 1024 * 1024 });
  const exchange = exchangeOf(stream);
  const router = new Router(exchange);
  const publisher = exchange.origin('p');
  const batches: string[][] = [];
  const failures: unknown[] = [];
  const handover = new Handover(
    stream,
    async (batch, name) => {
      assert.equal(name, 'taken');
      const payloads = batch.map(({ payload }) => Buffer.from(payload).toString());
      await take(batch, name);
      batches.push(payloads);
    },
    { ...NEVER, ...limits },
    () => exchange.admitWaiting(),
    (error) => failures.push(error),
  );
  Object.assign(stream, { sink: handover });
  return {
    stream,
    exchange,
    handover,
    batches,
    failures,
    publish: (...payloads) => {
      for (const payload of payloads) router.publish(publisher, publication('t', payload));
    },
  };
}

/** The clock of a test; immediates run as always. */
function timers(t: TestContext): { tick(ms: number): Promise<void> } {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  return {
    tick: async (ms) => {
      t.mock.timers.tick(ms);
      for (let i = 0; i < 10; i++) await turn();
    },
  };
}

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

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generator } from '../catalog/generator.js';
import { pick, whole } from '../ring/samples.js';
import { commit, exchangeOf, payloadOf, payloadsOf, publication, Router, streamOf } from './fixture.js';

test('who has its turn goes on with a few messages, then it is the turn of the others', () => {
  const stream = streamOf('all', { messages: 1000 });
  const exchange = exchangeOf(stream);
  const router = new Router(exchange);
  const publishers = ['a', 'b', 'c'].map((name) => ({ name, origin: exchange.origin(name), sent: 0 }));
  /** As a connection: what it has read it publishes one after another, until it has to wait. */
  const goOn = (publisher: (typeof publishers)[number]) => {
    for (let waits = false; !waits && publisher.sent < 500; ) {
      const payload = `${publisher.name}${publisher.sent++}`;
      waits = !router.publish(publisher.origin, publication('t', payload), () => {
        if (waits) goOn(publisher);
      });
    }
  };
  for (const publisher of publishers) goOn(publisher);
  assert.equal(router.routed.length, 1000);
  assert.equal(exchange.waitingMessages, 1, 'the other two have sent all they have');
  for (const publisher of publishers.slice(0, 2)) {
    publisher.sent = 500;
    router.publish(publisher.origin, publication('t', `${publisher.name}500`), () => {
      for (let i = 501; i < 1000; i++)
        router.publish(publisher.origin, publication('t', `${publisher.name}${i}`));
    });
  }
  const before = router.routed.length;
  commit(exchange, stream, 400);
  const turns: string[] = [];
  for (const payload of router.payloads.slice(before)) {
    if (turns.at(-1)?.[0] !== payload[0]) turns.push('');
    turns[turns.length - 1] += payload[0];
  }
  assert.deepEqual(
    turns.slice(0, 3).map((turn) => [turn[0], turn.length]),
    [
      ['c', 64],
      ['a', 64],
      ['b', 64],
    ],
  );
  for (let i = 0; i < 5; i++)
    commit(exchange, stream, Math.min(400, stream.ring.written - stream.ring.committed));
  for (const { name } of publishers) {
    assert.deepEqual(
      router.payloads.filter((payload) => payload.startsWith(name)),
      Array.from({ length: name === 'c' ? 500 : 1000 }, (_, i) => `${name}${i}`),
    );
  }
});

test('a full stream holds publishers, asks for a flush once, and goes on in their order', () => {
  const stream = streamOf('all', { messages: 2 });
  const exchange = exchangeOf(stream);
  const router = new Router(exchange);
  const [a, b] = [exchange.origin('a'), exchange.origin('b')];
  assert.equal(router.publish(a, publication('t', 'a1')), true);
  assert.equal(router.publish(b, publication('t', 'b1')), true);
  assert.equal(router.publish(b, publication('t', 'b2')), false);
  assert.equal(router.publish(a, publication('t', 'a2')), false);
  assert.equal(exchange.waitingMessages, 2);
  assert.equal(stream.waiting, 2);
  assert.deepEqual(stream.sink.flushes, ['full']);
  assert.deepEqual(router.payloads, ['a1', 'b1']);
  commit(exchange, stream, 1);
  assert.deepEqual(router.payloads, ['a1', 'b1', 'b2']);
  assert.deepEqual(stream.sink.flushes, ['full', 'full']);
  commit(exchange, stream);
  assert.deepEqual(router.payloads, ['a1', 'b1', 'b2', 'a2']);
  assert.equal(exchange.waitingMessages, 0);
  assert.equal(stream.waiting, 0);
});

test('what waits or comes while others wait stands behind them, even if it would fit', () => {
  const stream = streamOf('all', { messages: 100, bytes: 4096 });
  const exchange = exchangeOf(stream);
  const router = new Router(exchange);
  const publisher = exchange.origin('a');
  for (const payload of ['1', '2']) router.publish(publisher, publication('t', payload.repeat(1500)));
  assert.equal(router.publish(publisher, publication('t', 'y'.repeat(3500))), false);
  assert.equal(router.publish(exchange.origin('b'), publication('t', 'small')), false);
  commit(exchange, stream, 1);
  assert.equal(router.publish(exchange.origin('c'), publication('t', 'late')), false);
  assert.equal(router.payloads.length, 2);
  commit(exchange, stream);
  assert.deepEqual(router.payloads.slice(2), ['y'.repeat(3500), 'small', 'late']);
});

test('a message published while others are admitted stands behind them', () => {
  const stream = streamOf('all', { messages: 2 });
  const exchange = exchangeOf(stream);
  const router = new Router(exchange);
  const publisher = exchange.origin(null);
  for (const payload of ['1', '2']) router.publish(publisher, publication('t', payload));
  router.publish(publisher, publication('t', '3'), () => {
    router.publish(publisher, publication('t', '6'));
  });
  for (const payload of ['4', '5']) router.publish(publisher, publication('t', payload));
  commit(exchange, stream);
  assert.deepEqual(router.payloads, ['1', '2', '3', '4']);
  commit(exchange, stream);
  assert.deepEqual(router.payloads, ['1', '2', '3', '4', '5', '6']);
});

test('a full stream does not hold messages of other streams', () => {
  const [full, other] = [
    streamOf('full', { topics: ['a', 'both'], messages: 2 }),
    streamOf('other', { topics: ['b', 'both'] }),
  ];
  const exchange = exchangeOf(full, other);
  const router = new Router(exchange);
  const publisher = exchange.origin('p');
  for (const payload of ['a1', 'a2', 'a3']) router.publish(publisher, publication('a', payload));
  assert.equal(router.publish(publisher, publication('both', 'x')), false);
  // Neither the stream beside it nor the message that waits for both is in its way.
  assert.equal(router.publish(publisher, publication('b', 'b1')), true);
  assert.equal(router.publish(publisher, publication('c', 'nobody')), true);
  assert.deepEqual(payloadsOf(other), ['b1']);
  assert.deepEqual(other.sink.flushes, []);
});

test('a message for two streams is captured in neither until both have room, then once in each', () => {
  const [one, two] = [
    streamOf('one', { topics: ['a', 'both'], messages: 2 }),
    streamOf('two', { topics: ['b', 'both'], messages: 2 }),
  ];
  const exchange = exchangeOf(one, two);
  const router = new Router(exchange);
  const publisher = exchange.origin('p');
  for (const topic of ['a', 'a']) router.publish(publisher, publication(topic, topic));
  assert.equal(router.publish(publisher, publication('both', 'x')), false);
  assert.equal(router.publish(exchange.origin('r'), publication('a', 'behind')), false);
  for (const topic of ['b', 'b']) router.publish(exchange.origin('q'), publication(topic, topic));
  commit(exchange, one);
  assert.deepEqual([payloadsOf(one), payloadsOf(two)], [[], ['b', 'b']]);
  // It has found both full: from here on nobody takes either's room from it.
  assert.equal(router.publish(publisher, publication('a', 'late')), false);
  commit(exchange, two);
  assert.deepEqual([payloadsOf(one), payloadsOf(two)], [['x', 'behind'], ['x']]);
  commit(exchange, one);
  assert.deepEqual(payloadsOf(one), ['late']);
});

test('a stream that is removed holds nobody any more', async () => {
  const [full, other] = [streamOf('full', { messages: 2 }), streamOf('other')];
  const exchange = exchangeOf(full, other);
  const router = new Router(exchange);
  const publisher = exchange.origin('p');
  for (const payload of ['1', '2', '3', '4']) router.publish(publisher, publication('t', payload));
  assert.deepEqual(payloadsOf(other), ['1', '2']);
  exchange.remove('full');
  await Promise.resolve();
  assert.deepEqual(payloadsOf(other), ['1', '2', '3', '4']);
  assert.deepEqual(payloadsOf(full), ['1', '2']);
  assert.equal(exchange.waitingMessages, 0);
});

test('a stream removed by what a message sets off holds nobody before that message either', async () => {
  const [full, other] = [
    streamOf('full', { topics: ['a'], messages: 2 }),
    streamOf('other', { topics: ['b'], messages: 2 }),
  ];
  const exchange = exchangeOf(full, other);
  const router = new Router(exchange);
  const publisher = exchange.origin('p');
  for (const payload of ['a1', 'a2', 'a3']) router.publish(publisher, publication('a', payload));
  for (const payload of ['b1', 'b2']) router.publish(publisher, publication('b', payload));
  router.publish(publisher, publication('b', 'b3'), () => exchange.remove('full'));
  commit(exchange, other);
  await Promise.resolve();
  assert.deepEqual(router.payloads.slice(-2), ['b3', 'a3']);
});

test('one message that fails does not take those behind it along', () => {
  const stream = streamOf('all', { messages: 2 });
  const exchange = exchangeOf(stream);
  const router = new Router(exchange);
  const publisher = exchange.origin('p');
  for (const payload of ['1', '2']) router.publish(publisher, publication('t', payload));
  router.publish(publisher, publication('t', '3'), () => {
    throw new Error('of a listener');
  });
  for (const payload of ['4', '5']) router.publish(publisher, publication('t', payload));
  assert.throws(() => commit(exchange, stream), /of a listener/);
  commit(exchange, stream);
  commit(exchange, stream);
  assert.deepEqual(router.payloads, ['1', '2', '3', '4', '5']);
});

test('a flush that fails is told, and publishers go on waiting', async () => {
  const stream = streamOf('all', { messages: 2 });
  const failed: string[] = [];
  const { Exchange } = await import('../../src/exchange/exchange.js');
  const exchange = new Exchange((name, error) => failed.push(`${name}: ${(error as Error).message}`));
  exchange.add(stream);
  stream.sink.failure = new Error('no space');
  const router = new Router(exchange);
  const publisher = exchange.origin('p');
  for (const payload of ['1', '2', '3']) router.publish(publisher, publication('t', payload));
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(failed, ['all: no space']);
  assert.equal(exchange.waitingMessages, 1);
});

for (const whenFull of ['flush', 'return'] as const) {
  test(`${whenFull}: nothing is lost and every publisher's order is kept, whatever stalls when`, () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = generator(seed);
      const streams = [
        streamOf('a', { topics: ['a', 'ab', 'abc'], messages: whole(random, 2, 6), bytes: 4096, whenFull }),
        streamOf('b', { topics: ['b', 'ab', 'abc'], messages: whole(random, 2, 6), bytes: 4096, whenFull }),
        streamOf('c', { topics: ['c', 'abc'], messages: whole(random, 2, 6), bytes: 4096, whenFull }),
      ];
      const exchange = exchangeOf(...streams);
      const router = new Router(exchange);
      const written = new Map(streams.map(({ name }) => [name, [] as string[]]));
      const sent: { topic: string; payload: string }[] = [];
      // A connection is not read while its message waits.
      const publishers = ['p', 'q', 'r', 's'].map((name) => ({
        name,
        origin: exchange.origin(name),
        held: false,
        count: 0,
      }));
      const write = () => {
        const stream = pick(random, streams);
        written.get(stream.name)!.push(...commit(exchange, stream, whole(random, 1, 6)));
      };
      for (let step = 0; step < 300; step++) {
        if (random() < 0.2) write();
        const publisher = pick(random, publishers);
        if (publisher.held) continue;
        const topic = pick(random, ['a', 'b', 'c', 'ab', 'abc', 'none']);
        const payload = `${publisher.name}${publisher.count++} `.padEnd(whole(random, 1, 1500), 'x');
        sent.push({ topic, payload });
        publisher.held = true;
        router.publish(publisher.origin, publication(topic, payload), () => {
          publisher.held = false;
        });
      }
      for (let round = 0; round < 2000 && exchange.waitingMessages > 0; round++) write();
      assert.equal(exchange.waitingMessages, 0, `seed ${seed}: somebody waits for ever`);
      for (const stream of streams) written.get(stream.name)!.push(...payloadsOf(stream));
      const routed = router.payloads;
      assert.deepEqual([...routed].sort(), sent.map(({ payload }) => payload).sort());
      for (const { name } of publishers) {
        const own = routed.filter((payload) => payload.startsWith(name));
        assert.deepEqual(
          own,
          sent.map(({ payload }) => payload).filter((payload) => payload.startsWith(name)),
        );
      }
      for (const stream of streams) {
        const wanted = router.routed.filter(({ publication }) => stream.wants(publication.topic));
        assert.deepEqual(
          written.get(stream.name),
          wanted.map(({ publication }) => payloadOf(publication).toString()),
          `seed ${seed}, stream ${stream.name}`,
        );
        assert.equal(stream.waiting, 0);
        assert.equal(stream.stats.captured, wanted.length);
      }
    }
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MqttStreamError } from '../../src/errors.js';
import { contentsOf, exchangeOf, payloadsOf, publication, Router, streamOf } from './fixture.js';

test('a message goes to every stream that wants its topic, with one key', () => {
  const [can, gps, all] = [
    streamOf('can', { topics: ['vehicle/can/#', 'bus/+/frame'] }),
    streamOf('gps', { topics: ['vehicle/gps'] }),
    streamOf('all', { topics: ['#'], exclude: ['vehicle/secret/#', '+/quiet'] }),
  ];
  const exchange = exchangeOf(can, gps, all);
  const router = new Router(exchange, 1);
  const publisher = exchange.origin('car');
  for (const topic of [
    'vehicle/can/1',
    'vehicle/gps',
    'vehicle/can',
    'bus/1/frame',
    'bus/1/2/frame',
    'vehicle/secret/key',
    'vehicle/quiet',
    '$other/topic',
  ]) {
    assert.equal(router.publish(publisher, publication(topic, topic)), true);
  }
  assert.deepEqual(payloadsOf(can), ['vehicle/can/1', 'vehicle/can', 'bus/1/frame']);
  assert.deepEqual(payloadsOf(gps), ['vehicle/gps']);
  assert.deepEqual(payloadsOf(all), [
    'vehicle/can/1',
    'vehicle/gps',
    'vehicle/can',
    'bus/1/frame',
    'bus/1/2/frame',
  ]);
  assert.deepEqual(
    [can, gps, all].map((stream) => contentsOf(stream).map(({ key }) => key)),
    [[1, 3, 4], [2], [1, 2, 3, 4, 5]],
  );
  assert.equal(router.routed.length, 8);
});

test('a message keeps topic, client, QoS, retain flag, properties and payload', () => {
  const stream = streamOf('all');
  const exchange = exchangeOf(stream);
  const router = new Router(exchange, 7);
  const message = {
    topic: 'a/é',
    known: { utf8: Buffer.from('a/é'), memo: null },
    payloadBuffer: Buffer.from([7, 0, 255, 7]),
    payloadAt: 1,
    payloadEnd: 3,
    qos: 2,
    retain: true,
    properties: { contentType: 'x' },
  };
  router.publish(exchange.origin('car'), message);
  router.publish(exchange.origin(null), { ...message, properties: {} });
  const common = { topic: 'a/é', qos: 2, retain: true, payload: new Uint8Array([0, 255]) };
  assert.deepEqual(contentsOf(stream), [
    { key: 7, clientId: 'car', properties: '{"contentType":"x"}', ...common },
    { key: 8, clientId: null, properties: null, ...common },
  ]);
  assert.equal(stream.stats.captured, 2);
  assert.equal(stream.stats.capturedBytes, 4);
  assert.equal(stream.sink.capturedCount, 2);
});

test('streams come and go while publishers go on', () => {
  const [first, second] = [streamOf('first'), streamOf('second', { topics: ['a'] })];
  const exchange = exchangeOf(first);
  const router = new Router(exchange);
  const publisher = exchange.origin('car');
  router.publish(publisher, publication('a', '1'));
  exchange.add(second);
  router.publish(publisher, publication('a', '2'));
  assert.equal(exchange.remove('first'), first);
  router.publish(publisher, publication('a', '3'));
  exchange.remove('second');
  router.publish(publisher, publication('a', '4'));
  exchange.add(first);
  router.publish(publisher, publication('a', '5'));
  assert.deepEqual(payloadsOf(first), ['1', '2', '5']);
  assert.deepEqual(payloadsOf(second), ['2', '3']);
});

test('two publishers on one topic stay apart, whoever comes first and whoever comes and goes', () => {
  const stream = streamOf('all');
  const exchange = exchangeOf(stream);
  const router = new Router(exchange);
  const [car, truck, own] = [exchange.origin('car'), exchange.origin('truck'), exchange.origin(null)];
  const { known } = publication('t');
  const from = [car, truck, car, own, truck, own, car];
  for (const [index, publisher] of from.entries()) {
    router.publish(publisher, { ...publication('t', String(index)), known });
    // Lanes of before a change are not used after it.
    if (index === 3) exchange.add(streamOf('later', { topics: ['x'] }));
  }
  assert.deepEqual(
    contentsOf(stream).map(({ clientId }) => clientId),
    from.map(({ clientId }) => clientId),
  );
});

test('a topic remembers the lane of the last comer: a publisher that has connected again is found at once', () => {
  const exchange = exchangeOf(streamOf('all'));
  const router = new Router(exchange);
  const { known } = publication('t');
  const [before, after] = [exchange.origin('car'), exchange.origin('car')];
  router.publish(before, { ...publication('t'), known });
  router.publish(after, { ...publication('t'), known });
  assert.equal((known.memo as { publisher: unknown } | null)?.publisher, after);
});

test('names are unique, and an unknown one is answered with those that are known', () => {
  const exchange = exchangeOf(streamOf('one'), streamOf('two'));
  const code = (expected: string) => (error: unknown) =>
    error instanceof MqttStreamError && error.code === expected;
  assert.throws(() => exchange.add(streamOf('one')), code('STREAM_EXISTS'));
  assert.throws(() => exchange.get('three'), /there is no stream "three"; known are: one, two/);
  assert.throws(() => exchange.remove('three'), code('STREAM_NOT_FOUND'));
  assert.throws(() => exchangeOf().get('__proto__'), /known are: none/);
  assert.equal(exchange.find('three'), undefined);
  assert.deepEqual(
    [...exchange.all()].map(({ name }) => name),
    ['one', 'two'],
  );
});

test('random topics, long or short, do not fill the memory', () => {
  const exchange = exchangeOf(streamOf('all', { whenFull: 'drop-oldest', bytes: 1024 * 1024 }));
  const router = new Router(exchange);
  const publisher = exchange.origin('car') as unknown as { lanes: Map<string, unknown> };
  const other = exchange.origin('truck');
  /** On a topic that the other one published on before. */
  const publish = (topic: string) => {
    const message = publication(topic);
    router.publish(other, message);
    router.publish(publisher as never, message);
  };
  const held = () => [...publisher.lanes.keys()].reduce((sum, topic) => sum + topic.length, 0);
  let most = 0;
  for (let i = 0; i < 20_000; i++) {
    publish(`t/${i}`);
    most = Math.max(most, publisher.lanes.size);
  }
  assert.ok(most >= 8192 && most <= 16_384, `${most} lanes`);
  for (let i = 0; i < 30; i++) publish(`${i}`.padEnd(60_000, 'x'));
  assert.ok(held() <= 512 * 1024, `${held()} characters`);
  assert.equal(router.routed.length, 40_060);
});

test('a topic that only its replaced bytes make too long harms its own message alone', () => {
  const exchange = exchangeOf(streamOf('all'));
  const router = new Router(exchange);
  const publisher = exchange.origin('car');
  assert.throws(
    () => router.publish(publisher, publication('\ufffd'.repeat(30_000))),
    /more than 65535 bytes/,
  );
  assert.equal(router.publish(publisher, publication('fine')), true);
});

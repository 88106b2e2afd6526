import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bucket } from '../../src/bridge/bucket.js';
import { HOPS } from '../../src/bridge/hops.js';
import { Live } from '../../src/bridge/live.js';
import type { LocalMessage } from '../../src/bridge/outgoing.js';
import { Sender } from '../../src/bridge/sender.js';
import { BridgeStats } from '../../src/bridge/stats.js';
import { BROKER_ID, CLIENT_ID, connack, FakeLink, FakeTime, MemoryLog, outgoingOf, rule } from './fixture.js';

function rig({ inflight = 10, messages = 5, bytes = 1000, rules = [rule('a/#')], maxQos = 1 as 0 | 1 } = {}) {
  const time = new FakeTime();
  const stats = new BridgeStats();
  const log = new MemoryLog();
  const sender = new Sender({ inflight, bucket: new Bucket(0, 0), time, stats, log });
  let take!: (message: LocalMessage) => void;
  let ended = false;
  const live = new Live({
    outgoing: outgoingOf(rules, stats, time, maxQos),
    sender,
    queue: { messages, bytes },
    stats,
    log,
    subscribe: (taker) => {
      take = taker;
      return () => {
        ended = true;
      };
    },
  });
  live.start();
  const publish = (payload: string, more: Partial<LocalMessage> = {}) =>
    take({
      topic: 'a/b',
      payload: Buffer.from(payload),
      qos: 1,
      retain: false,
      properties: undefined,
      secondsLeft: undefined,
      clientId: 'car',
      ...more,
    });
  const up = () => {
    const link = new FakeLink();
    sender.attach(link, connack());
    live.up();
    return link;
  };
  const down = () => {
    sender.detach();
    live.down();
  };
  return { time, stats, log, live, publish, up, down, ended: () => ended };
}

test('what is published goes out at once, as the rule says', () => {
  const { publish, up } = rig({ rules: [rule('a/#', { remove: 'a/', add: 'x/' })] });
  const link = up();
  const properties = { contentType: 'c', userProperties: { k: 'v' } };
  publish('one', { qos: 2, retain: true, properties });
  publish('two', { qos: 0 });
  publish('other', { topic: 'b' });
  assert.deepEqual(link.payloads, ['one', 'two']);
  const [one, two] = link.sent;
  assert.deepEqual([one!.topic, one!.qos, one!.retain], ['x/b', 1, true]);
  assert.deepEqual(one!.properties, {
    contentType: 'c',
    userProperties: { k: 'v', [HOPS]: [BROKER_ID] },
  });
  assert.equal(two!.qos, 0);
});

test('the QoS is at most that of the rule and of the bridge', () => {
  const rules = [rule('a/low', { qos: 0 }), rule('a/#')];
  const high = rig({ rules });
  const link = high.up();
  high.publish('x', { topic: 'a/low', qos: 2 });
  high.publish('x', { qos: 2 });
  assert.deepEqual(
    link.sent.map(({ qos }) => qos),
    [0, 1],
  );
  const low = rig({ maxQos: 0 });
  const other = low.up();
  low.publish('x', { qos: 1 });
  assert.equal(other.sent[0]!.qos, 0);
});

test('the payload is copied: the broker writes over it', () => {
  const { publish, up } = rig();
  const payload = Buffer.from('first');
  publish('', { payload });
  payload.write('later');
  assert.deepEqual(up().payloads, ['first']);
});

test('without a connection QoS 1 waits within bounds, QoS 0 does not', () => {
  const { publish, up, stats, live } = rig({ messages: 3 });
  publish('zero', { qos: 0 });
  for (const payload of ['1', '2', '3', '4']) publish(payload);
  assert.equal(stats.dropped, 2);
  assert.equal(live.waiting, 3);
  assert.deepEqual(up().payloads, ['1', '2', '3']);
  const small = rig({ bytes: 10 });
  small.publish('x'.repeat(50));
  small.publish('y');
  assert.equal(small.stats.dropped, 1);
  assert.deepEqual(small.up().payloads, ['x'.repeat(50)]);
});

test('what was not acknowledged goes out again, before the rest and in order', () => {
  const { publish, up, down, live } = rig({ inflight: 2 });
  const first = up();
  for (const payload of ['1', '2', '3']) publish(payload);
  assert.deepEqual(first.payloads, ['1', '2']);
  first.acknowledge(1);
  assert.deepEqual(first.payloads, ['1', '2', '3']);
  down();
  publish('4');
  const second = up();
  assert.deepEqual(second.payloads, ['2', '3']);
  second.acknowledge();
  second.acknowledge();
  assert.deepEqual(second.payloads, ['2', '3', '4']);
  assert.equal(live.waiting, 0);
});

test('thousands that waited go out in turns, without a deep stack', async () => {
  const { publish, up } = rig({ inflight: 1, messages: 20_000, bytes: 1e6 });
  const link = up();
  publish('first');
  // Each is acknowledged while it is sent.
  for (let i = 0; i < 20_000; i++) publish(`${i}`, { qos: 0 });
  assert.equal(link.sent.length, 1);
  link.acknowledge();
  assert.ok(link.sent.length < 100);
  while (link.sent.length < 20_001) await new Promise(setImmediate);
  assert.equal(link.payloads.at(-1), '19999');
});

test('what came from the other broker does not go back, and what was here before goes no further', () => {
  const { publish, up, stats } = rig();
  const link = up();
  publish('its own', { clientId: CLIENT_ID });
  assert.equal(stats.loops, 0);
  publish('back', { properties: { userProperties: { [HOPS]: ['them', BROKER_ID] } } });
  assert.equal(stats.loops, 1);
  publish('new', { properties: { userProperties: { [HOPS]: 'them' } } });
  assert.deepEqual(link.payloads, ['new']);
  assert.deepEqual(link.sent[0]!.properties.userProperties?.[HOPS], ['them', BROKER_ID]);
});

test('a topic that is none on the other side is refused', () => {
  const { publish, up, stats } = rig({ rules: [rule('a/#', { remove: 'a/' })] });
  const link = up();
  publish('x', { topic: 'a' });
  assert.deepEqual([link.sent.length, stats.refused], [0, 1]);
});

test('what expires while it waits is not sent', () => {
  const { publish, up, time, stats } = rig();
  publish('soon', { secondsLeft: 5 });
  publish('later', { secondsLeft: 20.5 });
  time.advance(10_000);
  const link = up();
  assert.deepEqual(link.payloads, ['later']);
  assert.equal(link.sent[0]!.properties.messageExpiryInterval, 11);
  assert.equal(stats.expired, 1);
});

test('the end takes no more, waits for acknowledgements and counts what is left', async () => {
  const { publish, up, live, log, stats, ended, time } = rig({ inflight: 1 });
  const link = up();
  publish('1');
  publish('2');
  const closing = live.close();
  assert.ok(ended());
  link.acknowledge(1);
  time.advance(1000);
  await closing;
  assert.deepEqual(link.payloads, ['1', '2']);
  assert.equal(stats.sent, 1);
  assert.equal(stats.dropped, 1);
  assert.equal(log.count('warn', /before the stop/), 1);
});

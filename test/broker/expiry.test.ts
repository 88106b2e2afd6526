/** Message Expiry Interval: what is too late is not delivered, what is not says how long it is still valid. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPublishPacket } from 'mqtt-packet';
import { expired } from '../../src/broker/delivery/expiry.js';
import { Message } from '../../src/broker/delivery/message.js';
import { TopicTable } from '../../src/broker/delivery/topic-table.js';
import { startBroker, until } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

const NOW = 1_700_000_000_000;

function intervals(packets: unknown[]): (number | undefined)[] {
  return (packets as IPublishPacket[]).map(({ properties }) => properties?.messageExpiryInterval);
}

test('a message that nobody keeps waiting goes out with the interval that it came with', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: NOW });
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe('a');
  for (const messageExpiryInterval of [0, 1, 4_294_967_295]) {
    client.publish({ topic: 'a', properties: { messageExpiryInterval } });
  }
  assert.deepEqual(intervals(await client.sync()), [0, 1, 4_294_967_295]);
});

test('a retained message: the rest of its interval, then none', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: NOW });
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  const kept = { topic: 'a/b', payload: 'x', retain: true, properties: { messageExpiryInterval: 10 } };
  client.publish(kept);
  await client.sync();
  const got = async (filter: string) => {
    const other = await WireClient.connect(t, tcp.port);
    await other.subscribe(filter);
    return intervals(await other.sync());
  };
  t.mock.timers.setTime(NOW + 3_500);
  assert.deepEqual(await got('a/b'), [7]);
  assert.deepEqual(await got('a/+'), [7]);
  t.mock.timers.setTime(NOW + 10_000);
  assert.deepEqual(await got('a/b'), []);
  assert.deepEqual(await got('a/+'), []);
});

test('what waits for a client that is away: the rest of the interval, or nothing and it is counted', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: NOW });
  const { tcp, broker } = await startBroker(t);
  const who = { clientId: 'c', clean: false, properties: { sessionExpiryInterval: 600 } };
  const first = await WireClient.connect(t, tcp.port, who);
  await first.subscribe([{ topic: 'a', qos: 1 }]);
  await first.break();
  await until(() => broker.sessions.get('c')!.outbox === null);
  const publisher = await WireClient.connect(t, tcp.port);
  const publish = (payload: string, messageExpiryInterval?: number) =>
    publisher.publish({
      topic: 'a',
      payload,
      qos: 1,
      ...(messageExpiryInterval === undefined ? {} : { properties: { messageExpiryInterval } }),
    });
  publish('short', 5);
  publish('long', 100);
  publish('for ever');
  await publisher.sync();
  t.mock.timers.setTime(NOW + 5_000);
  const second = await WireClient.connect(t, tcp.port, who);
  const got = await second.sync();
  assert.deepEqual(payloads(got), ['long', 'for ever']);
  assert.deepEqual(intervals(got), [95, undefined]);
  assert.equal(broker.stats.dropped, 1);
  assert.equal(broker.sessions.get('c')!.backlog.messages, 2);
  // Once sent, it is not too late any more.
  await second.break();
  t.mock.timers.setTime(NOW + 200_000);
  const third = await WireClient.connect(t, tcp.port, who);
  const again = await third.sync();
  assert.deepEqual(payloads(again), ['long', 'for ever']);
  assert.deepEqual(intervals(again), [0, undefined]);
});

test('what waits for room in the window of a connected client', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: NOW });
  const { tcp, broker } = await startBroker(t);
  const slow = await WireClient.connect(t, tcp.port, { properties: { receiveMaximum: 1 } });
  await slow.subscribe([{ topic: 'a', qos: 1 }]);
  const fast = await WireClient.connect(t, tcp.port);
  await fast.subscribe([{ topic: 'a', qos: 1 }]);
  const publisher = await WireClient.connect(t, tcp.port);
  for (const [payload, messageExpiryInterval] of [
    ['1', 10],
    ['2', 10],
    ['3', 20],
  ] as const) {
    publisher.publish({ topic: 'a', payload, qos: 1, properties: { messageExpiryInterval } });
  }
  await publisher.sync();
  assert.deepEqual(intervals(await fast.sync()), [10, 10, 20]);
  const [first] = (await slow.sync()) as IPublishPacket[];
  t.mock.timers.setTime(NOW + 12_000);
  slow.send({ cmd: 'puback', messageId: first.messageId! });
  const got = await slow.sync();
  assert.deepEqual(payloads(got), ['3']);
  assert.deepEqual(intervals(got), [8]);
  assert.equal(broker.stats.dropped, 1);
});

test('the interval begins when the broker has the message', () => {
  const packet = {
    cmd: 'publish' as const,
    topic: 'a',
    payload: Buffer.alloc(0),
    qos: 0 as const,
    retain: false,
    dup: false,
  };
  const topic = new TopicTable(10).named('a');
  const unlimited = Message.of(topic, packet, NOW);
  assert.equal(unlimited.expiry, undefined);
  assert.equal(expired(unlimited, Number.MAX_SAFE_INTEGER), false);
  const limited = Message.of(topic, { ...packet, properties: { messageExpiryInterval: 2 } }, NOW);
  assert.equal(expired(limited, NOW + 1_999), false);
  assert.equal(expired(limited, NOW + 2_000), true);
});

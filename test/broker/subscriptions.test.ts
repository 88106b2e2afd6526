/** Subscriptions over the wire: what is granted, and how messages come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPublishPacket, Packet } from 'mqtt-packet';
import { startBroker } from './fixture.js';
import { messages, payloads, WireClient } from './wire-client.js';

function publishes(packets: readonly Packet[]): IPublishPacket[] {
  return packets.filter((packet): packet is IPublishPacket => packet.cmd === 'publish');
}

test('overlapping subscriptions: one delivery, the highest QoS, all identifiers', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  assert.deepEqual(await client.subscribe([{ topic: 'a/+', qos: 0 }], 11), [0]);
  assert.deepEqual(await client.subscribe([{ topic: 'a/#', qos: 2 }], 22), [2]);
  assert.deepEqual(await client.subscribe([{ topic: 'a/b', qos: 1 }]), [1]);
  const publisher = await WireClient.connect(t, tcp.port);
  publisher.publish({ topic: 'a/b', payload: 'x', qos: 2 });
  await publisher.sync();
  const got = publishes(await client.sync());
  assert.equal(got.length, 1);
  assert.equal(got[0].qos, 2);
  assert.deepEqual([got[0].properties?.subscriptionIdentifier].flat().sort(), [11, 22]);
});

test('the QoS is at most that of the subscription and at most that of the message', async (t) => {
  const { tcp } = await startBroker(t);
  const publisher = await WireClient.connect(t, tcp.port);
  for (const qos of [0, 1, 2] as const) {
    const client = await WireClient.connect(t, tcp.port);
    await client.subscribe([{ topic: '#', qos }]);
    for (const sent of [0, 1, 2] as const) publisher.publish({ topic: 'a', qos: sent });
    await publisher.sync();
    assert.deepEqual(
      publishes(await client.sync()).map((packet) => packet.qos),
      [0, 1, 2].map((sent) => Math.min(sent, qos)),
    );
  }
});

test('subscribing again replaces: QoS and identifier are the new ones', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe([{ topic: 'a', qos: 2 }], 1);
  await client.subscribe([{ topic: 'a', qos: 0 }]);
  client.publish({ topic: 'a', qos: 1 });
  const [got] = publishes(await client.sync());
  assert.equal(got.qos, 0);
  assert.equal(got.properties, undefined);
  assert.equal(broker.router.subscriptionCount, 1);
});

test('no-local: own messages do not come back, those of others do', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe([{ topic: 'a', nl: true }]);
  const other = await WireClient.connect(t, tcp.port);
  client.publish({ topic: 'a', payload: 'own', qos: 1 });
  other.publish({ topic: 'a', payload: 'other', qos: 1 });
  await other.sync();
  assert.deepEqual(payloads(await client.sync()), ['other']);
});

test('no-local holds for retained messages, too', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  const other = await WireClient.connect(t, tcp.port);
  client.publish({ topic: 'a', payload: 'own', qos: 1, retain: true });
  other.publish({ topic: 'b', payload: 'other', qos: 1, retain: true });
  assert.equal((await client.next()).cmd, 'puback');
  assert.equal((await other.next()).cmd, 'puback');
  await client.subscribe([{ topic: '#', nl: true }]);
  assert.deepEqual(payloads(await client.sync()), ['other']);
  await client.subscribe([{ topic: '#', nl: false }]);
  assert.deepEqual(payloads(await client.sync()).sort(), ['other', 'own']);
});

test('retain as published: the flag as it was sent, or never', async (t) => {
  const { tcp } = await startBroker(t);
  const as = await WireClient.connect(t, tcp.port);
  await as.subscribe([{ topic: 'a', rap: true }]);
  const not = await WireClient.connect(t, tcp.port);
  await not.subscribe([{ topic: 'a', rap: false }]);
  for (const retain of [true, false]) as.publish({ topic: 'a', retain });
  assert.deepEqual(
    publishes(await as.sync()).map(({ retain }) => retain),
    [true, false],
  );
  assert.deepEqual(
    publishes(await not.sync()).map(({ retain }) => retain),
    [false, false],
  );
});

test('retain handling: always, only for a new subscription, never', async (t) => {
  const { tcp } = await startBroker(t);
  const publisher = await WireClient.connect(t, tcp.port);
  publisher.publish({ topic: 'a', payload: 'kept', retain: true, qos: 1 });
  await publisher.sync();
  const client = await WireClient.connect(t, tcp.port);
  const retainedOf = async (rh: number) => {
    await client.subscribe([{ topic: 'a', rh }]);
    const got = publishes(await client.sync());
    assert.ok(got.every(({ retain }) => retain));
    return payloads(got);
  };
  assert.deepEqual(await retainedOf(2), []);
  assert.deepEqual(await retainedOf(1), [], 'the subscription exists');
  assert.deepEqual(await retainedOf(0), ['kept']);
  client.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: ['a'] });
  assert.equal((await client.next()).cmd, 'unsuback');
  assert.deepEqual(await retainedOf(1), ['kept']);
});

test('retained messages: matching topics, never $ for a leading wildcard, gone with an empty payload', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  for (const topic of ['a', 'a/b', '/a', 'a/b/c', '__proto__']) {
    client.publish({ topic, payload: topic, retain: true });
  }
  broker.publish({ topic: '$SYS/kept', payload: 'sys', retain: true }, null);
  const retainedOf = async (topic: string) => {
    await client.subscribe([{ topic }]);
    const got = payloads(await client.sync());
    client.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [topic] });
    await client.next();
    return got.sort();
  };
  assert.deepEqual(await retainedOf('#'), ['/a', '__proto__', 'a', 'a/b', 'a/b/c']);
  assert.deepEqual(await retainedOf('+/+'), ['/a', 'a/b']);
  assert.deepEqual(await retainedOf('+/a'), ['/a']);
  assert.deepEqual(await retainedOf('a/#'), ['a', 'a/b', 'a/b/c']);
  assert.deepEqual(await retainedOf('__proto__'), ['__proto__']);
  assert.deepEqual(await retainedOf('$SYS/kept'), ['sys']);
  assert.deepEqual(await retainedOf('b'), []);
  client.publish({ topic: 'a', payload: '', retain: true });
  await client.sync();
  assert.deepEqual(await retainedOf('a/#'), ['a/b', 'a/b/c']);
  assert.equal(broker.retained.count, 5);
});

test('a retained message comes with the identifier of the subscription, and its own properties', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  const properties = { contentType: 'text/plain', correlationData: Buffer.from('c') };
  client.publish({ topic: 'a', payload: 'kept', retain: true, properties });
  await client.sync();
  await client.subscribe([{ topic: 'a' }], 5);
  const [got] = publishes(await client.sync());
  assert.deepEqual({ ...got.properties }, { ...properties, subscriptionIdentifier: 5 });
});

for (const [version, codes] of [
  [4, [0x80, 1]],
  [5, [0x8f, 1]],
] as const) {
  test(`filters that cannot be granted are refused, the others are granted; MQTT ${version}`, async (t) => {
    const { tcp, broker } = await startBroker(t, { limits: { topicLevels: 10 } });
    const client = await WireClient.connect(t, tcp.port, { version });
    const filters = [Array(12).join('x/'), 'good'];
    assert.deepEqual(await client.subscribe(filters.map((topic) => ({ topic, qos: 1 }))), codes);
    assert.equal(broker.router.subscriptionCount, 1);
    client.publish({ topic: 'good', payload: 'x' });
    assert.deepEqual(messages(await client.sync()), ['good x']);
  });
}

test('UNSUBACK tells whether there was a subscription; then nothing comes any more', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe([{ topic: 'a' }, { topic: 'b' }]);
  client.send(
    { cmd: 'unsubscribe', messageId: 9, unsubscriptions: ['a', 'x', 'a'] },
    client.publishPacket({ topic: 'a', payload: '1' }),
    client.publishPacket({ topic: 'b', payload: '2' }),
  );
  const unsuback = await client.next();
  assert.deepEqual(unsuback.cmd === 'unsuback' && unsuback.granted, [0, 0x11, 0x11]);
  assert.deepEqual(payloads(await client.sync()), ['2']);
  assert.equal(broker.router.subscriptionCount, 1);
});

test('what is published behind SUBSCRIBE in one segment comes after SUBACK, retained or not, once', async (t) => {
  const { tcp } = await startBroker(t);
  for (const clean of [true, false]) {
    const client = await WireClient.connect(t, tcp.port, { version: 4, clean });
    client.send(
      { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] },
      client.publishPacket({ topic: 'a', payload: '1', retain: true }),
      client.publishPacket({ topic: 'a', payload: '', retain: true }),
    );
    assert.deepEqual(
      (await client.sync()).map((packet) => packet.cmd),
      ['suback', 'publish', 'publish'],
    );
  }
});

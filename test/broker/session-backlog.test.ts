/** What waits for a client that is away, and how it gets it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPublishPacket, Packet } from 'mqtt-packet';
import { generator } from '../catalog/generator.js';
import { startBroker } from './fixture.js';
import { lasting, leave, takeAll } from './lasting.js';
import { payloads, WireClient } from './wire-client.js';

for (const version of [3, 4, 5] as const) {
  test(`QoS 1 and 2 wait for a client that is away, QoS 0 does not; MQTT ${version}`, async (t) => {
    const { tcp, broker } = await startBroker(t);
    const first = await WireClient.connect(t, tcp.port, lasting(version));
    assert.deepEqual(await first.subscribe([{ topic: 'a/#', qos: 2 }]), [2]);
    await leave(first, broker);
    const publisher = await WireClient.connect(t, tcp.port);
    const publishes = Array.from({ length: 90 }, (_, i) =>
      publisher.publishPacket({ topic: `a/${i % 3}`, payload: String(i), qos: (i % 3) as 0 | 1 | 2 }),
    );
    publisher.send(...publishes);
    await publisher.sync();
    const second = await WireClient.open(t, tcp.port, version);
    // MQTT 3.1 cannot be told.
    assert.equal((await second.connect(lasting(version))).sessionPresent, version > 3);
    const got = await takeAll(second, 60);
    assert.deepEqual(
      got.map(({ topic, payload, qos, dup }) => [topic, payload.toString(), qos, dup]),
      publishes
        .filter(({ qos }) => qos > 0)
        .map(({ topic, payload, qos }) => [topic, payload.toString(), qos, false]),
    );
    await second.sync();
    assert.equal(broker.sessions.get('c')!.backlog.messages, 0);
    await second.break();
    const third = await WireClient.connect(t, tcp.port, lasting(version));
    assert.deepEqual(await third.sync(), []);
  });
}

test('with each its subscription identifier and properties', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const first = await WireClient.connect(t, tcp.port, lasting(5));
  await first.subscribe([{ topic: 'a', qos: 1, rap: true }], 33);
  await leave(first, broker);
  const publisher = await WireClient.connect(t, tcp.port);
  const properties = { contentType: 'x', correlationData: Buffer.from([1, 2]), responseTopic: 'r' };
  publisher.publish({ topic: 'a', qos: 2, retain: true, properties });
  await publisher.sync();
  const second = await WireClient.connect(t, tcp.port, lasting(5));
  const got = await second.nextPublish();
  assert.deepEqual({ ...got.properties }, { ...properties, subscriptionIdentifier: 33 });
  assert.deepEqual([got.qos, got.retain], [1, true]);
});

test('what was not acknowledged comes again, first, in order, with DUP and its identifier', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const first = await WireClient.connect(t, tcp.port, lasting(4));
  await first.subscribe([{ topic: 'a', qos: 2 }]);
  const publisher = await WireClient.connect(t, tcp.port);
  for (let i = 0; i < 6; i++) {
    publisher.publish({ topic: 'a', payload: String(i), qos: i % 2 === 0 ? 1 : 2 });
  }
  await publisher.sync();
  const before = (await first.sync()) as IPublishPacket[];
  assert.deepEqual(payloads(before), ['0', '1', '2', '3', '4', '5']);
  const idOf = (i: number) => before[i].messageId!;
  // 0 is done, 1 is received and waits for PUBREL, 3 was received and released: only PUBCOMP is missing.
  first.send(
    { cmd: 'puback', messageId: idOf(0) },
    { cmd: 'pubrec', messageId: idOf(1) },
    { cmd: 'pubrec', messageId: idOf(3) },
  );
  await first.sync();
  await leave(first, broker);
  publisher.publish({ topic: 'a', payload: 'new', qos: 1 });
  await publisher.sync();
  const second = await WireClient.connect(t, tcp.port, lasting(4));
  const told = (packet: Packet) =>
    packet.cmd === 'publish'
      ? [packet.payload.toString(), packet.dup, packet.messageId]
      : [packet.cmd, packet.messageId];
  const again = await second.sync();
  assert.deepEqual(again.slice(0, 5).map(told), [
    ['pubrel', idOf(1)],
    ['2', true, idOf(2)],
    ['pubrel', idOf(3)],
    ['4', true, idOf(4)],
    ['5', true, idOf(5)],
  ]);
  const fresh = again[5] as IPublishPacket;
  assert.deepEqual([fresh.payload.toString(), fresh.dup], ['new', false]);
  assert.ok(![1, 2, 3, 4, 5].map(idOf).includes(fresh.messageId!), 'an identifier of its own');
  assert.equal(again.length, 6);
});

test('a backlog much larger than the window comes through the window, to a client that answers at once', async (t) => {
  const { tcp, broker } = await startBroker(t);
  for (const version of [4, 5] as const) {
    const clientId = `c${version}`;
    const who = lasting(version, { clientId, properties: { receiveMaximum: 7 } });
    const first = await WireClient.connect(t, tcp.port, who);
    await first.subscribe([{ topic: 'a', qos: 1 }]);
    await leave(first, broker, clientId);
    const publisher = await WireClient.connect(t, tcp.port);
    for (let i = 0; i < 3000; i++) publisher.publish({ topic: 'a', payload: String(i), qos: 1 });
    assert.equal((await publisher.sync()).length, 3000);
    const second = await WireClient.connect(t, tcp.port, who);
    assert.equal((await second.sync()).length, version === 5 ? 7 : 1000);
    await second.break();
    const third = await WireClient.connect(t, tcp.port, who);
    const got = await takeAll(third, 3000);
    assert.deepEqual(
      got.map(({ payload }) => Number(payload.toString())),
      Array.from({ length: 3000 }, (_, i) => i),
    );
  }
});

test('a client that takes less than it has in flight gets it all, one after the other', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const first = await WireClient.connect(t, tcp.port, lasting(5));
  await first.subscribe([{ topic: 'a', qos: 2 }]);
  const publisher = await WireClient.connect(t, tcp.port);
  for (let i = 0; i < 10; i++) publisher.publish({ topic: 'a', payload: String(i), qos: 2 });
  await publisher.sync();
  const ids = ((await first.sync()) as IPublishPacket[]).map(({ messageId }) => messageId);
  assert.equal(ids.length, 10);
  await leave(first, broker);
  const second = await WireClient.connect(t, tcp.port, lasting(5, { properties: { receiveMaximum: 1 } }));
  assert.equal((await second.sync()).length, 1);
  await second.break();
  const third = await WireClient.connect(t, tcp.port, lasting(5, { properties: { receiveMaximum: 2 } }));
  const got = await takeAll(third, 10);
  assert.deepEqual(payloads(got), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  assert.deepEqual(
    got.map(({ messageId }) => messageId),
    ids,
  );
});

for (const seed of [1, 2, 3]) {
  test(`live messages while the backlog goes out: none lost, none doubled, in order; seed ${seed}`, async (t) => {
    const random = generator(seed);
    const { tcp, broker } = await startBroker(t, { limits: { inflight: 20 } });
    let client = await WireClient.connect(t, tcp.port, lasting(4));
    await client.subscribe([{ topic: 'a', qos: 1 }]);
    const publisher = await WireClient.connect(t, tcp.port);
    let sent = 0;
    const publish = (count: number) => {
      for (let i = 0; i < count; i++) publisher.publish({ topic: 'a', payload: String(sent++), qos: 1 });
    };
    const got: number[] = [];
    for (let round = 0; round < 8; round++) {
      publish(Math.floor(random() * 100));
      await client.break();
      publish(Math.floor(random() * 100));
      if (random() < 0.5) await publisher.sync();
      client = await WireClient.open(t, tcp.port, 4);
      client.send(client.connectPacket(lasting(4)));
      assert.equal((await client.next()).cmd, 'connack');
      for (let left = Math.floor(random() * 120); left > 0 && got.length < sent; left--) {
        if (random() < 0.1) publish(1);
        const { payload, messageId, dup } = await client.nextPublish();
        const number = Number(payload.toString());
        // What comes again was not acknowledged, or its PUBACK did not arrive.
        if (number < got.length) assert.ok(dup, `${number} is not new`);
        else got.push(number);
        client.send({ cmd: 'puback', messageId: messageId! });
      }
    }
    while (got.length < sent) {
      const { payload, messageId } = await client.nextPublish();
      const number = Number(payload.toString());
      if (number >= got.length) got.push(number);
      client.send({ cmd: 'puback', messageId: messageId! });
    }
    assert.deepEqual(
      got,
      Array.from({ length: sent }, (_, i) => i),
    );
    assert.equal(broker.stats.dropped, 0);
  });
}

test('a retained QoS 2 message does not disconnect a lasting session', async (t) => {
  const { tcp } = await startBroker(t);
  const publisher = await WireClient.connect(t, tcp.port);
  publisher.publish({ topic: 'a', payload: 'kept', qos: 2, retain: true });
  await publisher.sync();
  const client = await WireClient.connect(t, tcp.port, lasting(4));
  await client.subscribe([{ topic: 'a', qos: 2 }]);
  const [got] = await takeAll(client, 1);
  assert.equal(got.payload.toString(), 'kept');
  assert.deepEqual(await client.sync(), []);
});

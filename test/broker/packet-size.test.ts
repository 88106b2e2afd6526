/** Maximum Packet Size, ours and the client's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBroker, until } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

const LIMIT = 1024;
/** Payload of a PUBLISH with QoS 0 on `a` that has exactly `bytes` on the wire, 130 to 16,386 of them. */
function payloadFor(bytes: number): Buffer {
  return Buffer.alloc(bytes - 1 - 2 - 3 - 1, 'x');
}

for (const version of [4, 5] as const) {
  test(`a packet of the largest size is taken, a larger one is not, in one segment or in several; MQTT ${version}`, async (t) => {
    const { tcp, broker, audited } = await startBroker(t, { limits: { packetBytes: LIMIT } });
    const watcher = await WireClient.connect(t, tcp.port);
    await watcher.subscribe('a');
    // MQTT 3 has no byte for the length of properties.
    const slack = version === 4 ? 1 : 0;
    for (const inPieces of [false, true]) {
      const client = await WireClient.connect(t, tcp.port, { version });
      const bytesOf = (bytes: number) =>
        client.encode(client.publishPacket({ topic: 'a', payload: payloadFor(bytes + slack) }));
      const fits = bytesOf(LIMIT);
      assert.equal(fits.length, LIMIT);
      client.sendBytes(fits);
      await client.sync();
      const tooLarge = bytesOf(LIMIT + 1);
      // Only what tells its size: the rest need not come.
      if (inPieces) client.sendBytes(tooLarge.subarray(0, 10));
      else client.sendBytes(Buffer.concat([tooLarge, bytesOf(500)]));
      await client.ended;
      const reasons = client.take().map((packet) => packet.cmd === 'disconnect' && packet.reasonCode);
      assert.deepEqual(reasons, version === 5 ? [0x95] : []);
    }
    assert.equal(payloads(await watcher.sync()).length, 2);
    await until(() => broker.stats.connections === 1);
    assert.equal(
      audited.filter((one) => 'reason' in one && one.reason.startsWith('packet too large')).length,
      2,
    );
  });
}

test('CONNACK tells the limit; a CONNECT beyond it is not waited for', async (t) => {
  const { tcp } = await startBroker(t, { limits: { packetBytes: LIMIT } });
  const client = await WireClient.open(t, tcp.port);
  assert.equal((await client.connect()).properties?.maximumPacketSize, LIMIT);
  for (const length of [LIMIT, 100 * 1024 * 1024]) {
    const large = await WireClient.open(t, tcp.port);
    const head = Buffer.alloc(5);
    head[0] = 0x10;
    for (let i = 1, left = length; i < 5; i++, left >>= 7) head[i] = (left & 0x7f) | (i < 4 ? 0x80 : 0);
    large.sendBytes(head);
    await large.ended;
  }
});

test('a client gets no packet that is larger than it takes; that counts as dropped, others get it', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const small = await WireClient.connect(t, tcp.port, {
    clientId: 'small',
    clean: false,
    properties: { maximumPacketSize: 200, sessionExpiryInterval: 60 },
  });
  await small.subscribe([{ topic: 'a', qos: 2 }]);
  const large = await WireClient.connect(t, tcp.port);
  await large.subscribe('a');
  const publisher = await WireClient.connect(t, tcp.port);
  for (const qos of [0, 1, 2] as const) {
    const id = qos > 0 ? 2 : 0;
    publisher.publish({ topic: 'a', qos, payload: payloadFor(200 - id) });
    publisher.publish({ topic: 'a', qos, payload: payloadFor(201 - id) });
  }
  await publisher.sync();
  const got = await small.sync();
  assert.deepEqual(
    got.map((packet) => small.encode(packet).length),
    [200, 200, 200],
  );
  assert.equal((await large.sync()).length, 6);
  assert.equal(broker.stats.dropped, 3);
  // Nor do they come when it connects again.
  await small.break();
  const again = await WireClient.connect(t, tcp.port, {
    clientId: 'small',
    clean: false,
    properties: { sessionExpiryInterval: 60 },
  });
  assert.deepEqual(
    (await again.sync()).map((packet) => packet.messageId),
    got.slice(1).map((packet) => packet.messageId),
  );
});

test('what waits for a client that takes only smaller packets now is dropped, the rest comes', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const who = { clientId: 'c', clean: false, properties: { sessionExpiryInterval: 60 } };
  const first = await WireClient.connect(t, tcp.port, who);
  await first.subscribe([{ topic: 'a', qos: 1 }]);
  await first.break();
  await until(() => broker.sessions.get('c')!.outbox === null);
  const publisher = await WireClient.connect(t, tcp.port);
  for (const size of [10, 1000, 20]) publisher.publish({ topic: 'a', qos: 1, payload: 'x'.repeat(size) });
  await publisher.sync();
  const properties = { ...who.properties, maximumPacketSize: 100 };
  const second = await WireClient.connect(t, tcp.port, { ...who, properties });
  assert.deepEqual(
    payloads(await second.sync()).map(({ length }) => length),
    [10, 20],
  );
  assert.equal(broker.sessions.get('c')!.backlog.messages, 2);
});

test('a client that takes no packet as large as CONNACK or SUBACK is let go without a word', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const tiny = await WireClient.open(t, tcp.port);
  tiny.send(tiny.connectPacket({ properties: { maximumPacketSize: 2 } }));
  await tiny.ended;
  assert.deepEqual(tiny.take(), []);
  const small = await WireClient.connect(t, tcp.port, { properties: { maximumPacketSize: 40 } });
  const subscriptions = Array.from({ length: 40 }, (_, i) => ({ topic: `a/${i}`, qos: 0 as const }));
  small.send({ cmd: 'subscribe', messageId: 1, subscriptions });
  await small.ended;
  assert.deepEqual(small.take(), []);
  await until(() => broker.stats.connections === 0);
  assert.equal(broker.sessions.count, 0);
});

/** Packets that come with CONNECT, before CONNACK. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'mqtt-packet';
import { type Access, OPEN_ACCESS } from '../../src/broker/access/access.js';
import { FakeCapture } from './fake-capture.js';
import { startBroker, until } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

for (const version of [4, 5] as const) {
  test(`CONNECT, SUBSCRIBE, PUBLISH, PINGREQ in one segment, MQTT ${version}`, async (t) => {
    const { tcp } = await startBroker(t);
    for (const clean of [true, false]) {
      const client = await WireClient.open(t, tcp.port, version);
      client.send(
        client.connectPacket({ clientId: `c${clean}`, clean }),
        { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `a${clean}`, qos: 1 }] },
        client.publishPacket({ topic: `a${clean}`, payload: 'x', qos: 1 }),
        { cmd: 'pingreq' },
      );
      const answers: string[] = [];
      while (answers.length < 5) answers.push((await client.next()).cmd);
      assert.deepEqual(answers, ['connack', 'suback', 'publish', 'puback', 'pingresp']);
    }
  });
}

test('a client may publish any number of messages without waiting for CONNACK, and go', async (t) => {
  const capture = new FakeCapture();
  const { tcp } = await startBroker(t, { capture });
  const client = await WireClient.open(t, tcp.port);
  const publishes = Array.from({ length: 5000 }, (_, i) =>
    client.publishPacket({ topic: 'a', payload: `${i} ${'x'.repeat(100)}` }),
  );
  client.send(client.connectPacket(), ...publishes, { cmd: 'disconnect', reasonCode: 0 });
  client.conn.end();
  await client.ended;
  assert.deepEqual(
    capture.payloads,
    publishes.map(({ payload }) => payload),
  );
});

test('until it is let in, what it sends is left in the socket', async (t) => {
  const letIn: (() => void)[] = [];
  const access: Access = {
    ...OPEN_ACCESS,
    authenticate: ({ user }) => new Promise((resolve) => letIn.push(() => resolve({ allowed: true, user }))),
  };
  const { tcp, broker } = await startBroker(t, { access });
  const client = await WireClient.open(t, tcp.port);
  const payload = Buffer.alloc(1000);
  client.send(client.connectPacket());
  for (let i = 0; i < 20_000; i++) client.publish({ topic: 'a', payload });
  await until(() => letIn.length === 1 && client.conn.writableLength > 0);
  const taken = client.conn.writableLength;
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(client.conn.writableLength, taken);
  letIn[0]();
  assert.equal((await client.next()).cmd, 'connack');
  await client.sync();
  assert.equal(broker.stats.received - 20_000 < 10, true);
});

test('what is not CONNECT at first ends the connection', async (t) => {
  const { tcp } = await startBroker(t);
  const packets: Packet[] = [
    { cmd: 'pingreq' },
    { cmd: 'disconnect', reasonCode: 0 },
    { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }] },
  ];
  for (const packet of packets) {
    const client = await WireClient.open(t, tcp.port, 4);
    client.send(packet, client.connectPacket());
    await client.ended;
    assert.deepEqual(client.take(), []);
  }
});

test('a malformed packet behind CONNECT ends the connection after CONNACK', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.open(t, tcp.port);
  await client.connect();
  const other = await WireClient.open(t, tcp.port);
  other.send(other.connectPacket(), other.publishPacket({ topic: 'a/#' }));
  assert.equal((await other.next()).cmd, 'connack');
  const told = await other.next();
  assert.equal(told.cmd === 'disconnect' && told.reasonCode, 0x90);
  await other.ended;
  await client.subscribe('#');
  assert.deepEqual(payloads(await client.sync()), []);
});

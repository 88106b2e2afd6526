/** How much a client may send that is not acknowledged: nothing of it grows without end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeCapture } from './fake-capture.js';
import { startBroker, until } from './fixture.js';
import { lasting } from './lasting.js';
import { WireClient } from './wire-client.js';

const limits = { receiveMaximum: 3 };

test('CONNACK tells it; beyond it a client of MQTT 5 is disconnected with 0x93', async (t) => {
  const capture = new FakeCapture();
  const { tcp, broker } = await startBroker(t, { limits, capture });
  const client = await WireClient.open(t, tcp.port);
  assert.equal((await client.connect()).properties?.receiveMaximum, 3);
  for (const messageId of [1, 2, 3, 3]) client.publish({ topic: 'a', qos: 2, messageId });
  assert.equal((await client.sync()).length, 4, 'a repetition is not one more');
  client.send({ cmd: 'pubrel', messageId: 2 });
  client.publish({ topic: 'a', qos: 2, messageId: 4 });
  assert.deepEqual(
    (await client.sync()).map(({ cmd, messageId }) => [cmd, messageId]),
    [
      ['pubcomp', 2],
      ['pubrec', 4],
    ],
  );
  client.send(
    client.publishPacket({ topic: 'a', payload: 'too much', qos: 1, messageId: 5 }),
    client.publishPacket({ topic: 'a', payload: 'behind it' }),
  );
  const answer = await client.next();
  assert.equal(answer.cmd === 'disconnect' && answer.reasonCode, 0x93);
  await client.ended;
  assert.equal(capture.taken.length, 4);
  assert.equal(broker.stats.receiveMaximumDisconnects, 1);
});

test('a PUBREC that refuses ends the exchange; QoS 0 does not count', async (t) => {
  const { tcp, broker } = await startBroker(t, { limits });
  const client = await WireClient.connect(t, tcp.port);
  for (let messageId = 1; messageId <= 10; messageId++) {
    client.publish({ topic: '$SYS/x', qos: 2, messageId });
    client.publish({ topic: 'a' });
  }
  assert.equal((await client.sync()).length, 10);
  assert.equal(broker.sessions.all().next().value!.received.size, 0);
});

for (const version of [4, 5] as const) {
  test(`QoS 1 counts until its PUBACK is due, which may have to wait; MQTT ${version}`, async (t) => {
    const { tcp } = await startBroker(t, { limits });
    // Chunks are acknowledged as the receivers take them.
    const receiver = await WireClient.connect(t, tcp.port, { properties: { receiveMaximum: 1 } });
    await receiver.subscribe([{ topic: 'ParquetFile/#', qos: 1 }]);
    const client = await WireClient.connect(t, tcp.port, { version, username: 'mqtt-stream-transfer' });
    for (let i = 0; i < 1000; i++) client.publish({ topic: 'a', qos: 1 });
    assert.equal((await client.sync()).length, 1000, 'acknowledged at once: never more than one');
    const chunk = { topic: 'ParquetFile/r/f/0', qos: 1 } as const;
    for (let i = 0; i < 4; i++) client.publish(chunk);
    assert.equal((await client.sync()).length, 1, 'the others wait');
    client.publish(chunk);
    if (version === 5) {
      const answer = await client.next();
      assert.equal(answer.cmd === 'disconnect' && answer.reasonCode, 0x93);
    } else {
      assert.deepEqual(await client.sync(), []);
    }
  });

  test(`half-open exchanges of QoS 2 are bounded, over all connections of a session; MQTT ${version}`, async (t) => {
    const { tcp, broker, audited } = await startBroker(t, { limits: { receiveMaximum: 100 } });
    for (let round = 0; round < 5; round++) {
      const client = await WireClient.connect(t, tcp.port, lasting(version));
      for (let i = 1; i <= 1000; i++) {
        client.publish({ topic: 'a', qos: 2, messageId: round * 1000 + i });
      }
      await client.ended;
      await until(() => broker.stats.connections === 0);
      assert.equal(broker.sessions.get('c')!.received.size, 100);
    }
    assert.equal(broker.stats.receiveMaximumDisconnects, 5);
    assert.ok(audited.some((event) => JSON.stringify(event).includes('Receive Maximum')));
    const client = await WireClient.connect(t, tcp.port, lasting(version));
    for (let messageId = 1; messageId <= 100; messageId++) client.send({ cmd: 'pubrel', messageId });
    for (let messageId = 1; messageId <= 100; messageId++) client.publish({ topic: 'a', qos: 2, messageId });
    assert.equal((await client.sync()).length, 200, 'one that finishes what it began goes on');
  });
}

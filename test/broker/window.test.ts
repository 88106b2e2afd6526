/** Messages in flight to a client: not more than it takes, each under an identifier of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPublishPacket } from 'mqtt-packet';
import { startBroker } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

test('Receive Maximum is not exceeded; QoS 0 does not overtake what waits', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port, { properties: { receiveMaximum: 3 } });
  await client.subscribe('a');
  const publisher = await WireClient.connect(t, tcp.port);
  for (let i = 0; i < 9; i++) publisher.publish({ topic: 'a', payload: String(i), qos: i === 5 ? 0 : 1 });
  await publisher.sync();
  const got = (await client.sync()) as IPublishPacket[];
  assert.deepEqual(payloads(got), ['0', '1', '2']);
  client.send({ cmd: 'puback', messageId: got[1].messageId! });
  assert.deepEqual(payloads(await client.sync()), ['3']);
  client.send({ cmd: 'puback', messageId: got[1].messageId! });
  assert.deepEqual(payloads(await client.sync()), [], 'an identifier that is not in flight makes no room');
  client.send({ cmd: 'puback', messageId: got[0].messageId! });
  // The one with QoS 0 needs no room.
  assert.deepEqual(payloads(await client.sync()), ['4', '5']);
});

test('QoS 2 is in flight until PUBCOMP, or until a PUBREC with an error', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port, { properties: { receiveMaximum: 1 } });
  await client.subscribe('a');
  const publisher = await WireClient.connect(t, tcp.port);
  for (let i = 0; i < 3; i++) publisher.publish({ topic: 'a', payload: String(i), qos: 2 });
  await publisher.sync();
  const [first] = (await client.sync()) as IPublishPacket[];
  client.send({ cmd: 'pubrec', messageId: first.messageId! });
  assert.deepEqual(
    (await client.sync()).map(({ cmd, messageId }) => [cmd, messageId]),
    [['pubrel', first.messageId]],
  );
  client.send({ cmd: 'pubcomp', messageId: first.messageId! });
  const [second] = (await client.sync()) as IPublishPacket[];
  assert.equal(second.payload.toString(), '1');
  client.send({ cmd: 'pubrec', messageId: second.messageId!, reasonCode: 0x80 });
  assert.deepEqual(payloads(await client.sync()), ['2']);
});

test('a PUBREC for what is not in flight is answered: the exchange was over before the connection broke', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  client.send({ cmd: 'pubrec', messageId: 99 });
  const answer = await client.next();
  assert.deepEqual(answer.cmd === 'pubrel' && [answer.messageId, answer.reasonCode ?? 0], [99, 0]);
});

test('a client of MQTT 3 has the limit of the configuration', async (t) => {
  const { tcp } = await startBroker(t, { limits: { inflight: 5 } });
  const client = await WireClient.connect(t, tcp.port, { version: 4 });
  await client.subscribe('a');
  const publisher = await WireClient.connect(t, tcp.port);
  for (let i = 0; i < 9; i++) publisher.publish({ topic: 'a', qos: 1 });
  await publisher.sync();
  assert.equal((await client.sync()).length, 5);
});

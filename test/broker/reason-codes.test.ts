/** What acknowledgements say (MQTT 5 sections 3.4 to 3.11); those of MQTT 3 say nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'mqtt-packet';
import { startBroker } from './fixture.js';
import { WireClient } from './wire-client.js';

function told(packets: readonly Packet[]): unknown[] {
  return packets.map((packet) => [packet.cmd, 'reasonCode' in packet ? packet.reasonCode : undefined]);
}

test('PUBACK says whether there are matching subscribers; PUBREC does not', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  const publish = async (topic: string, retain = false) => {
    for (const qos of [1, 2] as const) client.publish({ topic, payload: 'x', qos, retain });
    return told([await client.next(), await client.next()]);
  };
  const none = [
    ['puback', 0x10],
    ['pubrec', 0],
  ];
  const some = [
    ['puback', 0],
    ['pubrec', 0],
  ];
  assert.deepEqual(await publish('a'), none);
  assert.deepEqual(await publish('a', true), none);
  const other = await WireClient.connect(t, tcp.port);
  await other.subscribe([{ topic: 'a' }, { topic: '$share/g/b' }]);
  assert.deepEqual(await publish('a'), some);
  assert.deepEqual(await publish('b'), some);
  assert.deepEqual(await publish('c'), none);
  await other.break();
});

test('MQTT 3 is told nothing', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port, { version: 4 });
  const bytes: number[] = [];
  client.conn.on('data', (chunk: Buffer) => bytes.push(...chunk));
  client.publish({ topic: 'a', qos: 1, messageId: 1 });
  client.publish({ topic: 'a', qos: 2, messageId: 2 });
  client.send({ cmd: 'pubrel', messageId: 2 }, { cmd: 'pubrel', messageId: 3 });
  client.send({ cmd: 'unsubscribe', messageId: 4, unsubscriptions: ['x', 'a'] });
  await client.sync();
  assert.deepEqual(bytes.slice(0, 20), [
    ...[0x40, 2, 0, 1],
    ...[0x50, 2, 0, 2],
    ...[0x70, 2, 0, 2],
    ...[0x70, 2, 0, 3],
    ...[0xb0, 2, 0, 4],
  ]);
});

test('PUBREL and PUBREC for what is not there: it was over before the client knew', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  client.send({ cmd: 'pubrel', messageId: 5 }, { cmd: 'pubrec', messageId: 6 });
  assert.deepEqual(told(await client.sync()), [
    ['pubcomp', 0],
    ['pubrel', 0],
  ]);
});

test('UNSUBACK: one code for each filter, in their order', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe([{ topic: 'a' }, { topic: '$share/g/a' }]);
  const unsubscriptions = ['b', 'a', '$share/g/a', '$share/h/a'];
  client.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions });
  const answer = await client.next();
  assert.deepEqual(answer.cmd === 'unsuback' && answer.granted, [0x11, 0, 0, 0x11]);
});

test('a client with a small Maximum Packet Size gets its acknowledgements: they are within it', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port, { properties: { maximumPacketSize: 20 } });
  await client.subscribe([{ topic: 'a', qos: 0 }]);
  const packets = [
    client.publishPacket({ topic: 'b', qos: 1 }),
    client.publishPacket({ topic: 'b', qos: 2 }),
  ];
  client.send(...packets, { cmd: 'pubrel', messageId: 77 });
  client.send({ cmd: 'publish', topic: 'a', payload: 'too large for it', qos: 0, dup: false, retain: false });
  const got = await client.sync();
  assert.deepEqual(
    got.map(({ cmd }) => cmd),
    ['puback', 'pubrec', 'pubcomp'],
  );
  assert.ok(got.every((packet) => client.encode(packet).length <= 20));
});

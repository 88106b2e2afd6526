/** Packets that break the protocol end their connection, with a reason where there is one, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'mqtt-packet';
import { startBroker } from './fixture.js';
import { assertUnharmed, EXPIRY_TWICE, packet, properties, text } from './raw-packet.js';
import { WireClient } from './wire-client.js';

/** Every packet that comes after CONNACK, with the reason that it is refused with. */
const REFUSED: [string, Buffer, number][] = [
  ['DISCONNECT with a property twice', packet(0xe0, 0, properties(...EXPIRY_TWICE)), 0x82],
  ['PUBLISH with a property twice', packet(0x30, text('a'), properties(2, 0, 0, 0, 1, 2, 0, 0, 0, 2)), 0x82],
  ['PUBLISH with a property of CONNECT', packet(0x30, text('a'), properties(0x21, 0, 5)), 0x82],
  ['PUBLISH with a subscription identifier', packet(0x30, text('a'), properties(0x0b, 5)), 0x82],
  ['PUBLISH with a wildcard', packet(0x30, text('a/#'), properties()), 0x81],
  ['PUBLISH with an empty topic', packet(0x30, text(''), properties()), 0x81],
  ['PUBLISH with NUL', packet(0x30, text('a\0b'), properties()), 0x81],
  ['PUBLISH with too many levels', packet(0x30, text('/'.repeat(50)), properties()), 0x90],
  ['PUBLISH with a topic alias beyond the maximum', packet(0x30, text('a'), properties(0x23, 0, 11)), 0x94],
  ['PUBLISH with a topic alias of no topic', packet(0x30, text(''), properties(0x23, 0, 1)), 0x82],
  ['PUBLISH with identifier 0', packet(0x32, text('a'), 0, 0, properties()), 0x82],
  ['PUBLISH with a wildcard to answer to', packet(0x30, text('a'), properties(8, 0, 1, 0x23)), 0x82],
  ['SUBSCRIBE with identifier 0', packet(0x82, 0, 0, properties(), text('a'), 0), 0x81],
  ['SUBSCRIBE without a filter', packet(0x82, 0, 1, properties()), 0x81],
  ['SUBSCRIBE with subscription identifier 0', packet(0x82, 0, 1, properties(0x0b, 0), text('a'), 0), 0x81],
  ['SUBSCRIBE with two of them', packet(0x82, 0, 1, properties(0x0b, 1, 0x0b, 2), text('a'), 0), 0x82],
  ['UNSUBSCRIBE without a filter', packet(0xa2, 0, 1, properties()), 0x81],
  ['PUBACK with identifier 0', packet(0x40, 0, 0), 0x82],
  ['PUBREL with identifier 0', packet(0x62, 0, 0), 0x82],
  ['PUBACK with a property of PUBLISH', packet(0x40, 0, 1, 0, properties(1, 1)), 0x82],
];

for (const [what, bytes, reason] of REFUSED) {
  test(`${what} is answered with 0x${reason.toString(16)}; what follows is not handled`, async (t) => {
    const started = await startBroker(t, { limits: { topicLevels: 50 } });
    const watcher = await WireClient.connect(t, started.tcp.port);
    await watcher.subscribe('#');
    const client = await WireClient.connect(t, started.tcp.port, {
      properties: { sessionExpiryInterval: 60 },
    });
    const after = client.publishPacket({ topic: 'after', payload: 'after', qos: 1 });
    client.sendBytes(Buffer.concat([bytes, client.encode(after)]));
    const answer = await client.next();
    assert.equal(answer.cmd === 'disconnect' && answer.reasonCode, reason);
    await client.ended;
    assert.deepEqual(client.take(), []);
    assert.deepEqual(await watcher.sync(), []);
    await assertUnharmed(t, started);
  });
}

test('for MQTT 3, which has no reasons, the connection is closed', async (t) => {
  const started = await startBroker(t);
  const bad = [
    packet(0x30, text('a/#')),
    packet(0x30, text('')),
    packet(0x32, text('a'), 0, 0),
    packet(0x82, 0, 0, text('a'), 0),
    packet(0x40, 0, 0),
  ];
  for (const bytes of bad) {
    const client = await WireClient.connect(t, started.tcp.port, { version: 4 });
    client.sendBytes(bytes);
    await client.ended;
    assert.deepEqual(client.take(), []);
  }
  await assertUnharmed(t, started);
});

test('a packet that is cut short inside does not harm others', async (t) => {
  const started = await startBroker(t);
  const watcher = await WireClient.connect(t, started.tcp.port);
  await watcher.subscribe('#');
  const cut = [
    // QoS 1 and retained, without the two bytes of the identifier
    packet(0x33, text('a')),
    packet(0x35, text('a')),
    // properties that end within a value
    packet(0x30, text('a'), properties(3, 0xff, 0xff)),
    packet(0x30, text('a'), properties(0x26, 0xff, 0xff)),
    packet(0x30, text('a'), properties(2, 0, 0)),
    packet(0x30, text('a'), properties(9, 0xff, 0xff)),
    packet(0x82, 0),
    packet(0xa2, 0),
    packet(0x40),
    packet(0x50),
    packet(0x62),
    packet(0xe0, 0, properties(0x11, 0)),
  ];
  for (const bytes of cut) {
    const client = await WireClient.connect(t, started.tcp.port, {
      properties: { sessionExpiryInterval: 60 },
    });
    client.sendBytes(bytes);
    await client.ended;
  }
  assert.deepEqual(await watcher.sync(), []);
  await assertUnharmed(t, started);
});

test('noise ends its connection', async (t) => {
  const started = await startBroker(t);
  for (let i = 0; i < 40; i++) {
    const client =
      i % 2 === 0
        ? await WireClient.open(t, started.tcp.port)
        : await WireClient.connect(t, started.tcp.port);
    client.sendBytes(
      Buffer.concat([Buffer.of((i * 37) % 256, 30), Buffer.alloc(30, i * 11), Buffer.alloc(64, 0xff)]),
    );
    client.conn.end();
    await client.ended;
  }
  await assertUnharmed(t, started);
});

test('packets that a client never sends, and a second CONNECT, end the connection', async (t) => {
  const started = await startBroker(t);
  const wrong: Packet[] = [
    { cmd: 'connack', sessionPresent: false, reasonCode: 0 },
    { cmd: 'suback', messageId: 1, granted: [0] },
    { cmd: 'unsuback', messageId: 1, granted: [0] },
    { cmd: 'pingresp' },
  ];
  for (const one of wrong) {
    const client = await WireClient.connect(t, started.tcp.port);
    client.send(one);
    await client.ended;
  }
  const client = await WireClient.connect(t, started.tcp.port);
  client.send(client.connectPacket());
  await client.ended;
  await assertUnharmed(t, started);
});

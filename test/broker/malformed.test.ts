/** Packets that break the protocol end their connection, with a reason where there is one, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'mqtt-packet';
import { startBroker, type TestBroker, until } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

type Context = Parameters<typeof startBroker>[0];

/** Bytes of an MQTT 5 packet: first byte, and what follows the remaining length. */
function packet(first: number, ...body: (number | string | Buffer)[]): Buffer {
  const bytes = Buffer.concat(
    body.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))),
  );
  assert.ok(bytes.length < 128);
  return Buffer.concat([Buffer.of(first, bytes.length), bytes]);
}

/** A packet of 16,384 to 2,097,151 bytes. */
function large(first: number, body: Buffer): Buffer {
  const { length } = body;
  return Buffer.concat([
    Buffer.of(first, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14),
    body,
  ]);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(0, value.length), Buffer.from(value)]);
}

/** Properties with their length. */
function properties(...bytes: number[]): Buffer {
  return Buffer.of(bytes.length, ...bytes);
}

const EXPIRY_TWICE = [0x11, 0, 0, 0, 5, 0x11, 0, 0, 0, 6];
const CONNECT_HEAD = [text('MQTT'), 5];

/** Every packet that comes after CONNACK, with the reason that it is refused with. */
const REFUSED: [string, Buffer, number][] = [
  ['DISCONNECT with a property twice', packet(0xe0, 0, properties(...EXPIRY_TWICE)), 0x82],
  ['PUBLISH with a property twice', packet(0x30, text('a'), properties(2, 0, 0, 0, 1, 2, 0, 0, 0, 2)), 0x82],
  ['PUBLISH with a property of CONNECT', packet(0x30, text('a'), properties(0x21, 0, 5)), 0x82],
  ['PUBLISH with a subscription identifier', packet(0x30, text('a'), properties(0x0b, 5)), 0x82],
  ['PUBLISH with a wildcard', packet(0x30, text('a/#'), properties()), 0x90],
  ['PUBLISH with an empty topic', packet(0x30, text(''), properties()), 0x90],
  ['PUBLISH with NUL', packet(0x30, text('a\0b'), properties()), 0x90],
  ['PUBLISH with too many levels', packet(0x30, text('/'.repeat(50)), properties()), 0x90],
  ['PUBLISH with a topic alias', packet(0x30, text('a'), properties(0x23, 0, 1)), 0x94],
  ['PUBLISH with a topic alias only', packet(0x30, text(''), properties(0x23, 0, 1)), 0x94],
  ['PUBLISH with identifier 0', packet(0x32, text('a'), 0, 0, properties()), 0x82],
  ['PUBLISH with a wildcard to answer to', packet(0x30, text('a'), properties(8, 0, 1, 0x23)), 0x82],
  ['SUBSCRIBE with identifier 0', packet(0x82, 0, 0, properties(), text('a'), 0), 0x82],
  ['SUBSCRIBE without a filter', packet(0x82, 0, 1, properties()), 0x82],
  ['SUBSCRIBE with subscription identifier 0', packet(0x82, 0, 1, properties(0x0b, 0), text('a'), 0), 0x82],
  ['SUBSCRIBE with two of them', packet(0x82, 0, 1, properties(0x0b, 1, 0x0b, 2), text('a'), 0), 0x82],
  ['UNSUBSCRIBE without a filter', packet(0xa2, 0, 1, properties()), 0x82],
  ['PUBACK with identifier 0', packet(0x40, 0, 0), 0x82],
  ['PUBREL with identifier 0', packet(0x62, 0, 0), 0x82],
  ['PUBACK with a property of PUBLISH', packet(0x40, 0, 1, 0, properties(1, 1)), 0x82],
];

async function assertUnharmed(t: Context, { tcp }: TestBroker): Promise<void> {
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe('#');
  client.publish({ topic: 'a', payload: 'works', qos: 1 });
  assert.deepEqual(payloads(await client.sync()), ['works']);
  await client.break();
}

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

const WILL_FLAG = 0x06;
const willProperties = (...bytes: number[]) => [
  properties(),
  text('c'),
  properties(...bytes),
  text('w'),
  text('x'),
];

const REFUSED_CONNECTS: [string, Buffer, number][] = [
  ['a property twice', packet(0x10, ...CONNECT_HEAD, 2, 0, 0, properties(...EXPIRY_TWICE), text('c')), 0x82],
  ['receive maximum 0', packet(0x10, ...CONNECT_HEAD, 2, 0, 0, properties(0x21, 0, 0), text('c')), 0x82],
  ['packet size 0', packet(0x10, ...CONNECT_HEAD, 2, 0, 0, properties(0x27, 0, 0, 0, 0), text('c')), 0x82],
  ['a property of PUBLISH', packet(0x10, ...CONNECT_HEAD, 2, 0, 0, properties(1, 1), text('c')), 0x82],
  [
    'a will delay twice',
    packet(0x10, ...CONNECT_HEAD, WILL_FLAG, 0, 0, ...willProperties(24, 0, 0, 0, 1, 24, 0, 0, 0, 2)),
    0x82,
  ],
  [
    'a content type of the will that is cut off',
    packet(0x10, ...CONNECT_HEAD, WILL_FLAG, 0, 0, ...willProperties(3, 0xff, 0xff)),
    0x82,
  ],
  ['a will with QoS 3', packet(0x10, ...CONNECT_HEAD, WILL_FLAG | 0x18, 0, 0, ...willProperties()), 0x82],
  [
    'a will on a wildcard',
    packet(
      0x10,
      ...CONNECT_HEAD,
      WILL_FLAG,
      0,
      0,
      properties(),
      text('c'),
      properties(),
      text('#'),
      text('x'),
    ),
    0x90,
  ],
  [
    'a will on an empty topic',
    packet(
      0x10,
      ...CONNECT_HEAD,
      WILL_FLAG,
      0,
      0,
      properties(),
      text('c'),
      properties(),
      text(''),
      text('x'),
    ),
    0x90,
  ],
];

for (const [what, bytes, reason] of REFUSED_CONNECTS) {
  test(`CONNECT with ${what} is answered with 0x${reason.toString(16)}`, async (t) => {
    const started = await startBroker(t);
    const watcher = await WireClient.connect(t, started.tcp.port);
    await watcher.subscribe('#');
    const client = await WireClient.open(t, started.tcp.port);
    client.sendBytes(bytes);
    const answer = await client.next();
    assert.equal(answer.cmd === 'connack' && answer.reasonCode, reason);
    await client.ended;
    await until(() => started.broker.stats.connections === 1);
    assert.deepEqual(await watcher.sync(), []);
    await assertUnharmed(t, started);
  });
}

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

test('text that is not UTF-8, and too long once it is decoded, is not passed on', async (t) => {
  const started = await startBroker(t);
  const watcher = await WireClient.connect(t, started.tcp.port);
  await watcher.subscribe('#');
  const long = Buffer.concat([Buffer.of(0xff, 0xff), Buffer.alloc(65_535, 0xff)]);
  const contentType = Buffer.concat([Buffer.of(0x82, 0x80, 0x04, 3), long]);
  const userProperty = Buffer.concat([Buffer.of(0x85, 0x80, 0x04, 0x26), long, text('x')]);
  const bodies = [
    [0x30, Buffer.concat([long, properties()])],
    [0x30, Buffer.concat([text('a'), contentType])],
    [0x30, Buffer.concat([text('a'), userProperty])],
  ] as const;
  for (const [first, body] of bodies) {
    const client = await WireClient.connect(t, started.tcp.port);
    client.sendBytes(large(first, body));
    const answer = await client.next();
    assert.equal(answer.cmd, 'disconnect');
    await client.ended;
  }
  const head = Buffer.concat([
    ...CONNECT_HEAD.map((part) => (typeof part === 'number' ? Buffer.of(part) : part)),
  ]);
  const start = [head, Buffer.of(WILL_FLAG, 0, 0), properties()];
  for (const [rest, reason] of [
    [[text('c'), contentType, text('will'), text('x')], 0x82],
    [[text('c'), properties(), long, text('x')], 0x90],
    [[long, properties(), text('will'), text('x')], 0x85],
  ] as const) {
    const client = await WireClient.open(t, started.tcp.port);
    client.sendBytes(large(0x10, Buffer.concat([...start, ...rest])));
    const answer = await client.next();
    assert.equal(answer.cmd === 'connack' && answer.reasonCode, reason);
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

/** A CONNECT that breaks the protocol, and text that is not UTF-8 anywhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBroker, until } from './fixture.js';
import { assertUnharmed, CONNECT_HEAD, EXPIRY_TWICE, large, packet, properties, text } from './raw-packet.js';
import { WireClient } from './wire-client.js';

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
    0x81,
  ],
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
    0x82,
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

test('text that is not UTF-8, and too long once it is decoded, is not passed on', async (t) => {
  const started = await startBroker(t, { limits: { connectBytes: 128 * 1024 } });
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
    [[text('c'), contentType, text('will'), text('x')], 0x81],
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

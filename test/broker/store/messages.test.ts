/** What of a message survives: everything that MQTT 5 says of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PublishPacket, PublishProperties } from '../../../src/broker/aedes-internals.js';
import { decodeMessage, encodeMessage, payloadBytes } from '../../../src/broker/store/packet-codec.js';
import { reopenable } from './fixture.js';
import { message } from './message.js';

const userProperties = Object.assign(Object.create(null), {
  once: 'a',
  twice: ['b', 'c'],
  ['__proto__']: 'hostile',
  '': '',
});
const properties: PublishProperties = {
  payloadFormatIndicator: true,
  messageExpiryInterval: 60,
  contentType: 'application/json\0',
  responseTopic: 'answer/ü',
  correlationData: Buffer.from([0, 255, 10, 128]),
  userProperties,
};
const whole = { topic: 'a/ü/\0!~', payload: Buffer.from([0, 1, 255]), qos: 2, retain: true } as const;

test('a message with everything reads as it was written', () => {
  const written = { ...whole, properties, messageExpiry: 1_795_424_302_844 };
  const bytes = encodeMessage(written, { brokerCounter: 2 ** 53 - 1, clientId: 'publisher' });
  const read = decodeMessage(bytes);
  assert.deepEqual(read, { ...written, brokerCounter: 2 ** 53 - 1, clientId: 'publisher' });
  assert.equal(Object.getPrototypeOf(read.properties!.userProperties), null);
  assert.ok(Buffer.isBuffer(read.properties!.correlationData));
  assert.equal(payloadBytes(bytes), 3);
});

test('of what a message does not have nothing is written', () => {
  const bytes = encodeMessage({ ...whole, topic: 'abc' }, null);
  assert.equal(bytes.length, 1 + 4 + 3 + 3);
  assert.deepEqual(decodeMessage(bytes), { ...whole, topic: 'abc' });
});

test('empty parts and long ones', () => {
  const empty = { topic: '', payload: Buffer.alloc(0), qos: 0, retain: false, properties: {} } as const;
  assert.deepEqual(decodeMessage(encodeMessage(empty, {})), empty);
  const bare = { ...empty, properties: { correlationData: Buffer.alloc(0) } };
  assert.deepEqual(decodeMessage(encodeMessage(bare, null)), bare);
  const long = { ...whole, topic: 'ü'.repeat(32_767), payload: Buffer.alloc(1 << 20, 7) };
  assert.deepEqual(decodeMessage(encodeMessage(long, null)), long);
});

test('bytes that are cut short are not a message', () => {
  const bytes = encodeMessage({ ...whole, properties, messageExpiry: 1 }, { more: true });
  const length = bytes.length - whole.payload.length;
  for (let end = 0; end < length; end++) {
    assert.throws(() => decodeMessage(bytes.subarray(0, end)), `${end} of ${length} bytes`);
  }
});

test('queued, retained and received messages and wills survive a restart with all that they carry', async (t) => {
  const world = await reopenable(t);
  const rich = message(7, { qos: 2, properties, messageExpiry: 1_795_424_302_844, clientId: 'publisher' });
  const { store } = world;
  void store.outgoingEnqueueCombi([{ clientId: 'c' }], rich);
  void store.storeRetained({ ...rich, retain: true });
  void store.incomingStorePacket({ id: 'c' }, { ...rich, messageId: 9 });
  await store.putWill(
    { id: 'w' },
    {
      topic: 'w',
      payload: Buffer.from('gone'),
      qos: 1,
      retain: true,
      properties: { ...properties, willDelayInterval: 5 },
    },
  );

  const next = await world.reopen();
  const { brokerId, ...same } = rich;
  assert.deepEqual(await next.outgoingStream({ id: 'c' }).toArray(), [
    { ...same, brokerId: 'boot-1', messageId: undefined },
  ]);
  assert.deepEqual(await next.createRetainedStream('vehicle/+').toArray(), [{ ...rich, retain: true }]);
  assert.deepEqual(await next.incomingGetPacket({ id: 'c' }, { messageId: 9 }), { ...rich, messageId: 9 });
  assert.deepEqual(await next.streamWill({ 'boot-1': 1 }).toArray(), [
    {
      topic: 'w',
      payload: Buffer.from('gone'),
      qos: 1,
      retain: true,
      properties: { ...properties, willDelayInterval: 5 },
      brokerId: 'boot-0',
      clientId: 'w',
    },
  ]);
  assert.deepEqual(await next.streamWill({ 'boot-0': 1 }).toArray(), []);
  assert.equal(brokerId, 'boot');
});

test('what is kept is a copy', async (t) => {
  const { store } = await reopenable(t);
  const payload = Buffer.from('before');
  const packet: PublishPacket = message(1, { payload });
  const stored = store.outgoingEnqueue({ clientId: 'c' }, packet);
  payload.fill('x');
  await stored;
  assert.deepEqual(
    (await store.outgoingStream({ id: 'c' }).toArray()).map((one) => String(one.payload)),
    ['before'],
  );
});

test('all retained messages are there to load, those that "#" does not match, too', async (t) => {
  const { store } = await reopenable(t);
  for (const topic of ['$vehicle/x', 'a', '/a', 'a/b']) void store.storeRetained(message(1, { topic }));
  const topics = async (messages: AsyncIterable<{ topic: string }>) => {
    const found: string[] = [];
    for await (const { topic } of messages) found.push(topic);
    return found;
  };
  assert.deepEqual(await topics(store.retained()), ['$vehicle/x', '/a', 'a', 'a/b']);
  assert.deepEqual(await topics(store.createRetainedStreamCombi(['#', 'a'])), ['/a', 'a', 'a/b']);
  await store.storeRetained(message(2, { topic: 'a', payload: Buffer.alloc(0) }));
  assert.deepEqual(await topics(store.createRetainedStream('a/#')), ['a/b']);
});

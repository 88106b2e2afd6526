/** User properties keep the order of their sender, whatever way a message takes [MQTT-3.3.2-18] [MQTT-3.1.3-10]. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ofPairs, pairsOf } from '../../src/broker/user-properties.js';
import { memoryStore, startBroker } from './fixture.js';
import { lasting, leave } from './lasting.js';
import { CONNECT_HEAD, packet, text } from './raw-packet.js';
import { WireClient } from './wire-client.js';

/** No object by name has this order. */
const PAIRS = ['b', '1', 'a', '2', '7', '3', 'b', '4', '3', '5', '__proto__', '6', 'a', '7'];

function wire(pairs: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < pairs.length; at += 2) {
    parts.push(Buffer.of(0x26), text(pairs[at]), text(pairs[at + 1]));
  }
  return Buffer.concat(parts);
}

const BYTES = wire(PAIRS);

function publish(first: number, topic: string): Buffer {
  return packet(first, text(topic), ...(first & 6 ? [0, 7] : []), BYTES.length, BYTES, 'x');
}

/** Everything that the client gets from now on. */
function listen(client: WireClient): { has: (bytes: Buffer) => boolean } {
  const chunks: Buffer[] = [];
  client.conn.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { has: (bytes) => Buffer.concat(chunks).includes(bytes) };
}

test('pairs and names: there and back', () => {
  assert.deepEqual(pairsOf(ofPairs(PAIRS)), PAIRS);
  assert.equal(Object.getPrototypeOf(ofPairs(PAIRS).userProperties), null);
  for (const simple of [[], ['a', '1'], ['a', '1', 'a', '2', 'b', '3'], ['1', 'x', '2', 'y']]) {
    const found = ofPairs(simple);
    assert.equal(found.userPairs, undefined, 'the object is enough');
    assert.deepEqual(pairsOf(found), simple);
  }
  for (const mixed of [
    ['a', '1', 'b', '2', 'a', '3'],
    ['2', 'x', '1', 'y'],
  ]) {
    assert.deepEqual(ofPairs(mixed).userPairs, mixed);
  }
  assert.deepEqual(pairsOf({ userProperties: { a: ['1', '2'], b: '3' } }), ['a', '1', 'a', '2', 'b', '3']);
  assert.deepEqual(pairsOf({}), []);
});

test('of messages that are sent on, retained and queued, and after a restart', async (t) => {
  const store = await memoryStore();
  const first = await startBroker(t, { store });
  const away = await WireClient.connect(t, first.tcp.port, lasting(5));
  await away.subscribe('q');
  await leave(away, first.broker);
  const publisher = await WireClient.connect(t, first.tcp.port);
  for (const qos of [0, 1, 2]) {
    const client = await WireClient.connect(t, first.tcp.port);
    await client.subscribe(`live/${qos}`);
    const got = listen(client);
    publisher.sendBytes(publish(0x30 | (qos << 1), `live/${qos}`));
    await client.nextPublish();
    assert.ok(got.has(BYTES), `QoS ${qos}`);
  }
  publisher.sendBytes(publish(0x33, 'r'));
  publisher.sendBytes(publish(0x32, 'q'));
  await publisher.sync();
  await publisher.sync();
  const back = await WireClient.open(t, first.tcp.port);
  const got = listen(back);
  await back.connect(lasting(5));
  assert.equal((await back.nextPublish()).topic, 'q');
  assert.ok(got.has(BYTES), 'queued');
  await leave(back, first.broker);
  await first.broker.close();

  const second = await startBroker(t, { store });
  const again = await WireClient.open(t, second.tcp.port);
  const gotAgain = listen(again);
  await again.connect(lasting(5));
  assert.equal((await again.nextPublish()).topic, 'q');
  assert.ok(gotAgain.has(BYTES), 'queued, after a restart');
  const late = await WireClient.connect(t, second.tcp.port);
  const gotRetained = listen(late);
  await late.subscribe('r');
  await late.nextPublish();
  assert.ok(gotRetained.has(BYTES), 'retained, after a restart');
});

test('of wills', async (t) => {
  const { tcp } = await startBroker(t);
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('will');
  const got = listen(watcher);
  const client = await WireClient.open(t, tcp.port);
  client.sendBytes(
    packet(0x10, ...CONNECT_HEAD, 6, 0, 0, 0, text('dying'), BYTES.length, BYTES, text('will'), text('gone')),
  );
  await client.next();
  await client.break();
  await watcher.nextPublish();
  assert.ok(got.has(BYTES));
});

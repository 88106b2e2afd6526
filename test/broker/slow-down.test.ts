/** Publishers that are faster than all of their subscribers are slowed down by TCP, not by what is dropped. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startBroker, until } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

const KIB = 1024;
const PAYLOAD = Buffer.alloc(16 * KIB, 'x');
const MESSAGES = 2000;

async function subscriber(t: TestContext, port: number, filter: string, qos: 0 | 1 = 0): Promise<WireClient> {
  const client = await WireClient.connect(t, port);
  await client.subscribe([{ topic: filter, qos }]);
  return client;
}

/** Writes far more than any queue holds, without looking at what becomes of it. */
async function flooder(t: TestContext, port: number, topic: string, qos: 0 | 1 = 0): Promise<WireClient> {
  const client = await WireClient.connect(t, port);
  for (let i = 0; i < MESSAGES; i++) client.publish({ topic, payload: PAYLOAD, qos });
  return client;
}

test('QoS 0: nothing is dropped, what waits stays small, and every message arrives when it is read', async (t) => {
  const { broker, tcp } = await startBroker(t, { limits: { stalledAfter: 60_000 } });
  const slow = await subscriber(t, tcp.port, 'a');
  slow.conn.pause();
  const publisher = await flooder(t, tcp.port, 'a');
  await until(() => broker.heldConnections === 1);
  const held = publisher.conn.writableLength;
  assert.ok(held > 0, 'the rest waits at the publisher');
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(publisher.conn.writableLength, held);
  let most = 0;
  slow.conn.on('data', () => {
    most = Math.max(most, broker.queued.bytes);
  });
  slow.conn.resume();
  for (let i = 0; i < MESSAGES; i++) assert.equal((await slow.nextPublish()).payload.length, PAYLOAD.length);
  assert.equal(broker.stats.dropped, 0);
  assert.ok(most < 3 * 1024 * KIB, `${most}`);
  await publisher.sync();
  assert.equal(broker.heldConnections, 0);
});

test('QoS 1: a subscriber that acknowledges slowly is waited for, with all of its publishers', async (t) => {
  const { broker, tcp } = await startBroker(t, { limits: { inflight: 10, clientQueueMessages: 100 } });
  const slow = await subscriber(t, tcp.port, 'a', 1);
  const publishers = await Promise.all(
    ['p', 'q', 'r'].map(async (name) => {
      const client = await WireClient.connect(t, tcp.port);
      for (let i = 0; i < 400; i++) client.publish({ topic: 'a', payload: `${name}${i}`, qos: 1 });
      return client;
    }),
  );
  const got: string[] = [];
  while (got.length < 1200) {
    const packet = await slow.nextPublish();
    got.push(packet.payload.toString());
    slow.send({ cmd: 'puback', messageId: packet.messageId! });
    assert.ok(broker.queued.messages <= 100);
  }
  for (const name of ['p', 'q', 'r']) {
    const expected = Array.from({ length: 400 }, (_, i) => `${name}${i}`);
    assert.deepEqual(
      got.filter((payload) => payload.startsWith(name)),
      expected,
    );
  }
  for (const publisher of publishers) assert.equal((await publisher.sync()).length, 400);
  assert.deepEqual([broker.stats.dropped, broker.stats.quotaDisconnects], [0, 0]);
});

test('one that keeps up is not slowed down by one that does not', async (t) => {
  const { broker, tcp } = await startBroker(t, {
    limits: { clientQueueBytes: 512 * KIB, stalledAfter: 60_000 },
  });
  const frozen = await subscriber(t, tcp.port, 'a');
  frozen.conn.pause();
  const reader = await subscriber(t, tcp.port, 'a');
  await flooder(t, tcp.port, 'a');
  for (let i = 0; i < MESSAGES; i++) await reader.nextPublish();
  assert.ok(broker.stats.dropped > 0, 'by the one');
  assert.ok(broker.queued.bytes < 2 * 512 * KIB);
});

test('one that takes nothing at all is waited for once, and not long', async (t) => {
  const { broker, tcp } = await startBroker(t, {
    limits: { clientQueueBytes: 512 * KIB, stalledAfter: 50 },
  });
  const frozen = await subscriber(t, tcp.port, 'a');
  frozen.conn.pause();
  const publisher = await flooder(t, tcp.port, 'a');
  await publisher.sync();
  const lost = broker.stats.dropped;
  assert.ok(lost > MESSAGES / 2, `${lost}`);
  // When it reads again it is waited for again.
  frozen.conn.resume();
  for (let i = 0; i < MESSAGES - lost; i++) await frozen.nextPublish();
  await flooder(t, tcp.port, 'a');
  for (let i = 0; i < MESSAGES; i++) await frozen.nextPublish();
  assert.equal(broker.stats.dropped, lost);
});

test('who publishes from inside is told when one of its subscribers has less to do', async (t) => {
  const { broker, tcp } = await startBroker(t, { limits: { stalledAfter: 60_000 } });
  const slow = await subscriber(t, tcp.port, 'a');
  slow.conn.pause();
  let told = 0;
  let sent = 0;
  for (; told === sent; sent++) broker.publish({ topic: 'a', payload: PAYLOAD }, () => told++);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(told, sent - 1);
  slow.conn.resume();
  await until(() => told === sent);
  for (let i = 0; i < sent; i++) await slow.nextPublish();
  assert.equal(broker.stats.dropped, 0);
});

test('two clients that flood each other and read nothing until they have written all do not wait for ever', async (t) => {
  const { broker, tcp } = await startBroker(t, { limits: { stalledAfter: 50 } });
  const [a, b] = [await subscriber(t, tcp.port, 'to/a'), await subscriber(t, tcp.port, 'to/b')];
  for (const { conn } of [a, b]) conn.pause();
  for (let i = 0; i < MESSAGES; i++) {
    a.publish({ topic: 'to/b', payload: PAYLOAD });
    b.publish({ topic: 'to/a', payload: PAYLOAD });
  }
  await until(() => a.conn.writableLength === 0 && b.conn.writableLength === 0);
  for (const { conn } of [a, b]) conn.resume();
  const got: string[] = [];
  // What the other one sent before its first answer comes before the second.
  for (const client of [a, b, a, b]) got.push(...payloads(await client.sync()));
  assert.equal(got.length + broker.stats.dropped, 2 * MESSAGES);
});

test('with `drop` what is too much of QoS 1 is dropped and counted, and the client stays', async (t) => {
  const { broker, tcp } = await startBroker(t, {
    limits: { inflight: 5, clientQueueMessages: 20, stalledAfter: 50, whenClientQueueFull: 'drop' },
  });
  for (const lasting of [false, true]) {
    const properties = { sessionExpiryInterval: lasting ? 60 : 0 };
    const lazy = await WireClient.connect(t, tcp.port, { clientId: `lazy-${lasting}`, properties });
    await lazy.subscribe([{ topic: 'a', qos: 1 }]);
    const publisher = await WireClient.connect(t, tcp.port);
    for (let i = 0; i < 100; i++) publisher.publish({ topic: 'a', payload: String(i), qos: 1 });
    assert.equal((await publisher.sync()).length, 100);
    const got: string[] = [];
    while (got.length < 25) {
      const packet = await lazy.nextPublish();
      got.push(packet.payload.toString());
      lazy.send({ cmd: 'puback', messageId: packet.messageId! });
    }
    assert.deepEqual(
      got,
      Array.from({ length: 25 }, (_, i) => String(i)),
    );
    assert.equal(broker.stats.dropped, lasting ? 150 : 75);
    publisher.publish({ topic: 'a', payload: 'after', qos: 1 });
    assert.equal((await lazy.nextPublish()).payload.toString(), 'after');
    assert.equal(broker.stats.quotaDisconnects, 0);
    await lazy.break();
  }
});

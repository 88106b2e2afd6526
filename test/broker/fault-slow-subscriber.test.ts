/** A subscriber that stops reading stops aedes; ours goes on without it, in bounded memory. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startBroker, until } from './fixture.js';
import { startStock } from './stock.js';
import { messages, payloads, WireClient } from './wire-client.js';

const KIB = 1024;
const LIMITS = { clientQueueBytes: 256 * KIB };
const PAYLOAD = Buffer.alloc(48 * KIB, 'x');

/** One subscriber that reads and one that does not, and a publisher. */
async function clients(
  t: TestContext,
  port: number,
  options: { qos: 0 | 1; version?: 4 | 5; clean?: boolean; clientId?: string },
): Promise<{ reader: WireClient; frozen: WireClient; publisher: WireClient }> {
  const { qos, ...rest } = options;
  const frozen = await WireClient.connect(t, port, rest);
  await frozen.subscribe([{ topic: 'a', qos }]);
  frozen.conn.pause();
  const reader = await WireClient.connect(t, port);
  await reader.subscribe([{ topic: 'a', qos: 0 }]);
  return { reader, frozen, publisher: await WireClient.connect(t, port) };
}

/** Publishes until `enough`, each message only when the one before has been handled. */
async function flood(
  { reader, publisher }: { reader: WireClient; publisher: WireClient },
  qos: 0 | 1,
  enough: () => boolean,
): Promise<number> {
  for (let sent = 0; ; sent++) {
    if (enough()) return sent;
    publisher.publish({ topic: 'a', payload: PAYLOAD, qos });
    assert.deepEqual(
      (await publisher.sync()).map(({ cmd }) => cmd),
      qos === 0 ? [] : ['puback'],
    );
    assert.equal((await reader.nextPublish()).payload.length, PAYLOAD.length);
  }
}

test('stock: a subscriber that does not read stops what goes to others', async (t) => {
  const { port } = await startStock(t);
  const { reader, publisher } = await clients(t, port, { qos: 0 });
  let sent = 0;
  let received = 0;
  while (sent - received < 150) {
    publisher.publish({ topic: 'a', payload: PAYLOAD });
    sent++;
    received += messages(await reader.sync()).length;
  }
  for (let i = 0; i < 50; i++) assert.deepEqual(await reader.sync(), []);
});

test('ours: QoS 0 that a subscriber does not read is dropped and counted, everybody else goes on', async (t) => {
  const started = await startBroker(t, { limits: LIMITS });
  const { broker } = started;
  const parties = await clients(t, started.tcp.port, { qos: 0 });
  const sent = await flood(parties, 0, () => broker.stats.dropped >= 100);
  assert.ok(broker.queued.bytes <= LIMITS.clientQueueBytes + 2 * PAYLOAD.length, `${broker.queued.bytes}`);
  // When it reads again, it gets what was not dropped, and what comes then.
  parties.frozen.conn.resume();
  await until(() => broker.queued.bytes === 0);
  parties.publisher.publish({ topic: 'a', payload: 'last' });
  await parties.publisher.sync();
  const got = payloads(await parties.frozen.sync());
  assert.equal(got.at(-1), 'last');
  assert.equal(got.length, sent - broker.stats.dropped + 1);
});

test('ours: with QoS 1 it is disconnected, and its memory is free', async (t) => {
  const { broker, tcp } = await startBroker(t, { limits: LIMITS });
  const parties = await clients(t, tcp.port, { qos: 1 });
  let most = 0;
  await flood(parties, 1, () => {
    most = Math.max(most, broker.queued.bytes);
    return broker.stats.quotaDisconnects > 0;
  });
  assert.ok(most <= LIMITS.clientQueueBytes + 2 * PAYLOAD.length, `${most}`);
  await until(() => broker.sessions.count === 2);
  assert.equal(broker.queued.bytes, 0);
  parties.frozen.conn.resume();
  await parties.frozen.ended;
});

test('ours: a subscriber that reads but does not acknowledge is told that it is too slow', async (t) => {
  const { broker, tcp } = await startBroker(t, { limits: { inflight: 10, clientQueueMessages: 20 } });
  const lazy = await WireClient.connect(t, tcp.port);
  await lazy.subscribe([{ topic: 'a', qos: 1 }]);
  const publisher = await WireClient.connect(t, tcp.port);
  for (let i = 0; i <= 30; i++) publisher.publish({ topic: 'a', payload: String(i), qos: 1 });
  await publisher.sync();
  await lazy.ended;
  const packets = lazy.take();
  assert.deepEqual(payloads(packets), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  const last = packets.at(-1);
  assert.equal(last?.cmd === 'disconnect' && last.reasonCode, 0x97);
  assert.equal(broker.stats.quotaDisconnects, 1);
  assert.equal(broker.stats.dropped, 21, 'what waited, and what was too much');
});

test('ours: a lasting session keeps what came until then, and gets it after reconnecting', async (t) => {
  const started = await startBroker(t, { limits: LIMITS });
  const { broker, tcp } = started;
  const who = { version: 4 as const, clean: false, clientId: 'frozen' };
  const parties = await clients(t, tcp.port, { qos: 1, ...who });
  const sent = await flood(parties, 1, () => broker.stats.quotaDisconnects > 0);
  await parties.frozen.break();
  const again = await WireClient.connect(t, tcp.port, who);
  const got: number[] = [];
  while (got.length + broker.stats.dropped < sent) {
    const packet = await again.nextPublish();
    got.push(packet.payload.length);
    again.send({ cmd: 'puback', messageId: packet.messageId! });
  }
  assert.ok(got.length * PAYLOAD.length >= LIMITS.clientQueueBytes);
  assert.ok(broker.stats.dropped <= 2, `${broker.stats.dropped} did not fit`);
});

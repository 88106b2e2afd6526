/** aedes loses and re-orders messages that overtake each other on their way; ours keep the order of arrival. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { generator } from '../catalog/generator.js';
import { startBroker } from './fixture.js';
import { startStock } from './stock.js';
import { messages, WireClient } from './wire-client.js';

const RETAINED_THEN_PLAIN = [
  { topic: 'a', payload: '1', retain: true },
  { topic: 'a', payload: '2' },
];
const MIXED_QOS = [
  { topic: 'a', payload: '1', qos: 2 as const },
  { topic: 'a', payload: '2', qos: 1 as const },
  { topic: 'a', payload: '3', qos: 0 as const },
];

/** What a subscriber gets of messages that are published in one segment. */
async function delivered(
  t: TestContext,
  port: number,
  publishes: readonly Parameters<WireClient['publishPacket']>[0][],
): Promise<string[]> {
  const subscriber = await WireClient.connect(t, port);
  await subscriber.subscribe('#');
  const publisher = await WireClient.connect(t, port);
  publisher.send(...publishes.map((publish) => publisher.publishPacket(publish)));
  // aedes answers this when it has delivered what came before, or never will.
  await publisher.sync();
  await publisher.sync();
  return messages(await subscriber.sync());
}

test('stock: of a retained and a plain QoS 0 message in one segment the first is lost', async (t) => {
  const { port } = await startStock(t);
  assert.deepEqual(await delivered(t, port, RETAINED_THEN_PLAIN), ['a 2']);
});

test('ours: both arrive', async (t) => {
  const { tcp } = await startBroker(t);
  assert.deepEqual(await delivered(t, tcp.port, RETAINED_THEN_PLAIN), ['a 1', 'a 2']);
});

test('stock: messages of different QoS in one segment are lost', async (t) => {
  const { port } = await startStock(t);
  assert.notDeepEqual(await delivered(t, port, MIXED_QOS), ['a 1', 'a 2', 'a 3']);
});

test('ours: they arrive in their order', async (t) => {
  const { tcp } = await startBroker(t);
  assert.deepEqual(await delivered(t, tcp.port, MIXED_QOS), ['a 1', 'a 2', 'a 3']);
});

for (const seed of [1, 2, 3]) {
  test(`ours: 300 messages of any QoS, retained or not, to a clean and a lasting session; seed ${seed}`, async (t) => {
    const random = generator(seed);
    const { tcp } = await startBroker(t);
    const clean = await WireClient.connect(t, tcp.port, { version: 4 });
    const lasting = await WireClient.connect(t, tcp.port, { version: 4, clean: false });
    const publisher = await WireClient.connect(t, tcp.port);
    for (const subscriber of [clean, lasting]) await subscriber.subscribe('#');
    const publishes = Array.from({ length: 300 }, (_, i) =>
      publisher.publishPacket({
        topic: `t/${Math.floor(random() * 3)}`,
        payload: String(i),
        qos: Math.floor(random() * 3) as 0 | 1 | 2,
        retain: random() < 0.3,
      }),
    );
    publisher.send(...publishes);
    await publisher.sync();
    const sent = publishes.map(({ topic, payload }) => `${topic} ${payload.toString()}`);
    for (const subscriber of [clean, lasting]) assert.deepEqual(messages(await subscriber.sync()), sent);
  });
}

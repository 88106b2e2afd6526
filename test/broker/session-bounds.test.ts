/** What waits for a client that is away is bounded, and does not count against it when it is back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBroker } from './fixture.js';
import { lasting, leave, takeAll } from './lasting.js';
import { WireClient } from './wire-client.js';

test('for a client that is away, what is beyond the bounds is dropped and counted', async (t) => {
  const { tcp, broker } = await startBroker(t, {
    limits: { clientQueueMessages: 10, clientQueueBytes: 100_000 },
  });
  const publisher = await WireClient.connect(t, tcp.port);
  for (const [clientId, bytes, kept] of [
    ['many', 10, 10],
    ['large', 30_000, 3],
    ['huge', 200_000, 1],
  ] as const) {
    const first = await WireClient.connect(t, tcp.port, lasting(4, { clientId }));
    await first.subscribe([{ topic: clientId, qos: 1 }]);
    await leave(first, broker, clientId);
    const dropped = broker.stats.dropped;
    for (let i = 0; i < 15; i++) {
      publisher.publish({ topic: clientId, payload: Buffer.alloc(bytes, i), qos: 1 });
    }
    await publisher.sync();
    assert.equal(broker.stats.dropped - dropped, 15 - kept, clientId);
    const second = await WireClient.connect(t, tcp.port, lasting(4, { clientId }));
    const got = await takeAll(second, kept);
    assert.deepEqual(
      got.map(({ payload }) => payload[0]),
      Array.from({ length: kept }, (_, i) => i),
    );
    await second.sync();
    assert.equal(broker.sessions.get(clientId)!.backlog.bytes, 0);
  }
});

test('a client whose backlog fills the bounds is not disconnected for it when it is back', async (t) => {
  const limits = { clientQueueMessages: 100, clientQueueBytes: 200_000, inflight: 10 };
  const { tcp, broker } = await startBroker(t, { limits });
  const publisher = await WireClient.connect(t, tcp.port);
  const first = await WireClient.connect(t, tcp.port, lasting(4));
  await first.subscribe([{ topic: 'a', qos: 1 }]);
  await leave(first, broker);
  for (let i = 0; i < 100; i++) publisher.publish({ topic: 'a', payload: Buffer.alloc(2000, i), qos: 1 });
  await publisher.sync();
  assert.equal(broker.stats.dropped, 0);
  const second = await WireClient.connect(t, tcp.port, lasting(4));
  for (let i = 100; i < 150; i++) publisher.publish({ topic: 'a', payload: Buffer.alloc(2000, i), qos: 1 });
  await publisher.sync();
  const got = await takeAll(second, 150);
  assert.deepEqual(
    got.map(({ payload }) => payload[0]),
    Array.from({ length: 150 }, (_, i) => i),
  );
  assert.equal(broker.stats.quotaDisconnects, 0);
});

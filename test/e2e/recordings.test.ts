import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import mqtt from 'mqtt';
import { type Answered, ask, publishAll, readFiles } from './answers.js';
import { startBroker } from './process.js';
import { canFrames, driveSignals, NO_RECORDINGS, type Recorded } from './recordings.js';

type Published = Recorded & { readonly qos: 0 | 1 | 2 };

/** One publisher a topic, so that every message of an answer tells whose it is. */
function shareOut(messages: readonly Published[], clients: number): Published[][] {
  const topics = [...new Set(messages.map(({ topic }) => topic))];
  return Array.from({ length: clients }, (_, client) =>
    messages.filter(({ topic }) => topics.indexOf(topic) % clients === client),
  );
}

/** Every message of every client exactly once, in its client's order, byte for byte. */
function assertSame(answered: readonly Answered[], published: readonly Published[][]): void {
  const keys = answered.map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length, 'a key came twice');
  const inOrder = [...answered].sort((a, b) => a.key - b.key);
  const owner = new Map(published.flatMap((own, client) => own.map(({ topic }) => [topic, client] as const)));
  for (const [client, own] of published.entries()) {
    const got = inOrder.filter(({ topic }) => owner.get(topic) === client);
    assert.equal(got.length, own.length);
    for (const [i, { topic, payload, qos }] of own.entries()) {
      assert.equal(got[i].topic, topic);
      assert.equal(got[i].qos, qos);
      assert.ok(got[i].payload.equals(payload), `payload ${i} of client ${client}`);
    }
  }
  assert.equal(inOrder.length, published.flat().length);
}

test('12,974 CAN frames of four clients at QoS 1 through a ring of 4,096', {
  skip: NO_RECORDINGS,
}, async (t) => {
  const streams = [{ name: 'vehicle', topics: ['vehicle/#'], ring: { messages: 4096 } }];
  const broker = await startBroker(t, streams);
  const published = shareOut(
    canFrames().map((frame) => ({ ...frame, qos: 1 })),
    4,
  );
  assert.equal(published.flat().length, 12_974);
  await Promise.all(
    published.map(async (own, i) =>
      publishAll(await mqtt.connectAsync(broker.tcp, { clientId: `ecu-${i}` }), own),
    ),
  );
  const answer = await ask(broker.tcp, 'search', { id: 'all', stream: 'vehicle' }, join(broker.folder, 'in'));
  assert.equal(answer.result.ok, true);
  assert.deepEqual(answer.result.gaps, []);
  assert.equal(answer.result.messages.count, answer.messages.length);
  assert.ok(answer.rows.length > 0, 'some came by file');
  assertSame([...answer.rows, ...answer.messages], published);

  const replayed = await ask(broker.tcp, 'replay', { id: 'again', stream: 'vehicle' }, broker.folder);
  assertSame(replayed.messages, published);
  assert.deepEqual(
    replayed.messages.map(({ key }) => key),
    [...answer.rows, ...answer.messages].map(({ key }) => key).sort((a, b) => a - b),
  );

  assert.equal(await broker.stop(), 0);
  const rows = await readFiles(join(broker.dataDir, 'streams/vehicle'), '*/*.parquet');
  assertSame(rows, published);
  for (const [client, own] of published.entries()) {
    const topics = new Set(own.map(({ topic }) => topic));
    const ids = new Set(rows.filter(({ topic }) => topics.has(topic)).map(({ clientId }) => clientId));
    assert.deepEqual([...ids], [`ecu-${client}`]);
  }
});

for (const qos of [0, 2] as const) {
  test(`the signals of a drive at QoS ${qos} over websocket`, { skip: NO_RECORDINGS }, async (t) => {
    const streams = [
      {
        name: 'signals',
        topics: ['vehicle/signal/+'],
        ring: { messages: 256 },
        parquet: { compression: 'snappy' },
      },
    ];
    const broker = await startBroker(t, streams);
    const published = shareOut(
      driveSignals().map((signal) => ({ ...signal, qos })),
      4,
    );
    await Promise.all(
      published.map(async (own, i) =>
        publishAll(await mqtt.connectAsync(broker.ws, { clientId: `ecu-${i}` }), own),
      ),
    );
    const answer = await ask(
      broker.ws,
      'search',
      { id: 'all', stream: 'signals' },
      join(broker.folder, 'in'),
    );
    assert.deepEqual(answer.result.gaps, []);
    assertSame([...answer.rows, ...answer.messages], published);
    assert.equal(await broker.stop(), 0);
    assertSame(await readFiles(join(broker.dataDir, 'streams/signals'), '*/*.parquet'), published);
  });
}

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { IPublishPacket, MqttClient } from 'mqtt';
import type { ConfigInput } from '../../src/config/schema.js';
import {
  configOf,
  connected,
  numbered,
  publishMany,
  received,
  replayed,
  started,
  streamInput,
  temporaryFolder,
} from './app-fixture.js';

interface Answer {
  readonly id: string | null;
  readonly ok: boolean;
  readonly error?: { readonly code: string };
  readonly messages?: { readonly count: number; readonly topic: string };
  readonly files?: { readonly rows: number; readonly topic: string }[];
}

const answerOf = ({ payload }: IPublishPacket): Answer => JSON.parse(payload.toString());

async function rig(t: TestContext, more: Partial<ConfigInput> = {}) {
  const { app, url, log } = await started(t, configOf(await temporaryFolder(t), more));
  const client = await connected(t, url);
  await client.subscribeAsync(['$STREAM/result/#', 'MQfile/#', 'ParquetFile/#', 'answers/#'], { qos: 1 });
  return { app, url, log, client };
}

/** Sends a request and resolves to the next result on `topic`. */
async function ask(
  client: MqttClient,
  verb: string,
  payload: string | object,
  topic: string,
): Promise<Answer> {
  const result = received(client, topic, 1);
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  await client.publishAsync(`$STREAM/${verb}`, text, { qos: 1 });
  return answerOf((await result)[0]!);
}

test('a search: messages first, then the result; files by the transfer client; together all, each once', async (t) => {
  const { app, client } = await rig(t);
  await publishMany(app, 'file', 20);
  await app.request('flush', { id: 'flush', stream: 'vehicle' });
  const sent = await publishMany(app, 'ring', 10);
  const seen: string[] = [];
  client.on('message', (topic) => seen.push(topic));
  const messages = received(client, 'MQfile/s1/', 10);
  const ended = new Promise<void>((resolve) =>
    client.on('message', (topic) => topic.endsWith('/fin') && resolve()),
  );
  const result = await ask(client, 'search', { id: 's1', stream: 'vehicle' }, '$STREAM/result/s1');
  assert.deepEqual(
    (await messages).map(({ payload }) => payload.toString()),
    sent,
  );
  const [first, last] = [
    seen.findIndex((topic) => topic.startsWith('MQfile/')),
    seen.indexOf('$STREAM/result/s1'),
  ];
  assert.equal(seen.slice(first, last).filter((topic) => topic.startsWith('MQfile/')).length, 10);
  assert.deepEqual(
    [result.ok, result.messages!.count, result.files!.map(({ rows }) => rows)],
    [true, 10, [20]],
  );
  await ended;
  const { topic } = result.files![0]!;
  assert.deepEqual(
    seen.filter((one) => one.startsWith('ParquetFile/')),
    [`${topic}/init`, `${topic}/0`, `${topic}/fin`],
  );
  // The last word of the transfer client has let the file go.
  assert.equal(app.transfers.outstanding, 0);
});

test('a request that is wrong is answered, and the connection lives on', async (t) => {
  const { client } = await rig(t);
  const { clientId } = client.options;
  const fine = { id: 'x', stream: 'vehicle' };
  for (const [verb, payload, code, tail] of [
    ['search', '{', 'REQUEST_NOT_JSON', clientId],
    ['search', '{"id": "/"}', 'REQUEST_BAD_ID', clientId],
    ['search', { ...fine, stream: 'no' }, 'STREAM_NOT_FOUND', 'x'],
    ['search', { ...fine, ranges: [{ start: 'x' }] }, 'REQUEST_BAD_RANGE', 'x'],
    ['nonsense', fine, 'REQUEST_UNKNOWN', 'x'],
  ] as const) {
    const answer = await ask(client, verb, payload, `$STREAM/result/${tail}`);
    assert.deepEqual([answer.ok, answer.error!.code], [false, code]);
  }
  assert.equal(client.connected, true);
});

test('a client that asks too often is told so; the embedder is not', async (t) => {
  const { app, client } = await rig(t, { limits: { requestsPerSecond: 1 } });
  // One a second, of 100 at once: whatever the machine does meanwhile, most are too many.
  const answers = received(client, '$STREAM/result/', 100);
  for (let i = 0; i < 100; i++)
    client.publish('$STREAM/files', JSON.stringify({ id: `r${i}`, stream: 'vehicle' }));
  const codes = (await answers).map((packet) => answerOf(packet).error?.code ?? 'ok');
  assert.ok(codes.includes('ok'));
  assert.ok(codes.filter((code) => code === 'REQUEST_LIMIT').length > 50);
  for (let i = 0; i < 5; i++) {
    assert.equal((await app.request('files', { id: 'mine', stream: 'vehicle' })).ok, true);
  }
});

test('a client with a hostile id gets its answer or none, and the broker lives on', async (t) => {
  const { client, url } = await rig(t, { limits: { connectBytes: '128KiB' } });
  for (const clientId of ['a+#b', 'x'.repeat(65_535), '日'.repeat(21_845), '__proto__']) {
    const hostile = await connected(t, url, { clientId });
    const [answer] = await Promise.all([
      received(client, '$STREAM/result/', 1),
      hostile.publishAsync('$STREAM/search', 'nonsense', { qos: 1 }),
    ]);
    assert.equal(answerOf(answer[0]!).error!.code, 'REQUEST_NOT_JSON');
    await hostile.endAsync(true);
  }
});

test('MQTT 5: the answer also goes to the response topic, with the correlation data', async (t) => {
  const { client } = await rig(t);
  const correlationData = Buffer.from([0, 255, 10]);
  const both = [received(client, '$STREAM/result/r', 1), received(client, 'answers/r', 1)];
  client.publish('$STREAM/files', '{"id": "r", "stream": "vehicle"}', {
    properties: { responseTopic: 'answers/r', correlationData },
  });
  const [[plain], [asked]] = (await Promise.all(both)) as [[IPublishPacket], [IPublishPacket]];
  assert.deepEqual(answerOf(plain), answerOf(asked));
  assert.equal(plain.properties?.correlationData, undefined);
  assert.deepEqual(asked.properties?.correlationData, correlationData);
  const bad = received(client, 'answers/bad', 1);
  client.publish('$STREAM/search', '{', { properties: { responseTopic: 'answers/bad', correlationData } });
  assert.equal(answerOf((await bad)[0]!).error!.code, 'REQUEST_NOT_JSON');
});

test('a response topic that the client itself could not publish to gets nothing', async (t) => {
  const { client, url } = await rig(t);
  const listener = await connected(t, url);
  await listener.subscribeAsync([
    '#',
    '$SYS/x',
    '$STREAM/flush',
    '$STREAM/transfer',
    'MQfile/#',
    'ParquetFile/#',
  ]);
  const heard: string[] = [];
  listener.on('message', (topic) => heard.push(topic));
  const topics = [
    '$SYS/x',
    '$STREAM/flush',
    '$STREAM/transfer',
    'MQfile/r/1/a',
    'ParquetFile/r/f.parquet/fin',
  ];
  for (const [i, responseTopic] of topics.entries()) {
    const answer = received(client, `$STREAM/result/r${i}`, 1);
    client.publish('$STREAM/files', `{"id": "r${i}", "stream": "vehicle"}`, {
      properties: { responseTopic },
    });
    assert.equal(answerOf((await answer)[0]!).ok, true);
  }
  const last = received(listener, 'answers/last', 1);
  client.publish('$STREAM/files', '{"id": "r", "stream": "vehicle"}', {
    properties: { responseTopic: 'answers/last' },
  });
  await last;
  assert.deepEqual(heard, ['answers/last']);
});

test('a replay comes in order, with QoS and properties of the original, and does not disturb live messages', async (t) => {
  const { app, client, url } = await rig(t);
  const publisher = await connected(t, url);
  const properties = {
    contentType: 'text/plain',
    userProperties: { a: ['1', '2'], b: 'é' },
    correlationData: Buffer.from([1, 0]),
  };
  await publisher.publishAsync('vehicle//a', 'with', { qos: 1, retain: true, properties });
  const sent = ['with', ...(await publishMany(app, '', 300))];
  await app.request('flush', { id: 'flush', stream: 'vehicle' });
  sent.push(...(await publishMany(app, 'ring', 5)));
  const replies = received(client, 'MQfile/r/', 306);
  const result = await ask(client, 'replay', { id: 'r', stream: 'vehicle' }, '$STREAM/result/r');
  assert.equal(result.messages!.count, 306);
  const packets = await replies;
  assert.deepEqual(
    packets.map(({ payload }) => payload.toString()),
    sent,
  );
  const [first] = packets;
  assert.match(first!.topic.toString(), /^MQfile\/r\/\d{16}\/vehicle\/\/a$/);
  assert.deepEqual([first!.qos, first!.retain], [1, false]);
  assert.equal(first!.properties!.contentType, 'text/plain');
  assert.deepEqual({ ...first!.properties!.userProperties }, properties.userProperties);
  assert.deepEqual(first!.properties!.correlationData, properties.correlationData);
  assert.equal(app.streams.exchange.get('vehicle').stats.captured, 306, 'a replay is not captured');
});

test('a topic too long for MQfile is answered as documented, from file and ring', async (t) => {
  const { app, client, url } = await rig(t);
  app.addStream(streamInput({ name: 'long', topics: ['#'] }));
  const topic = `${'l'.repeat(65_530)}`;
  const publisher = await connected(t, url);
  await publisher.publishAsync(topic, 'one', { qos: 1 });
  await app.request('flush', { id: 'flush', stream: 'long' });
  await publisher.publishAsync(topic, 'two', { qos: 1 });
  const replies = received(client, 'MQfile/r/', 2);
  await ask(client, 'replay', { id: 'r', stream: 'long' }, '$STREAM/result/r');
  for (const packet of await replies) {
    assert.match(packet.topic.toString(), /^MQfile\/r\/\d{16}$/);
    assert.deepEqual({ ...packet.properties!.userProperties }, { 'mqtt-stream-topic': topic });
  }
});

test('a large message on a small ring is routed and a gap', async (t) => {
  const { app } = await rig(t);
  app.addStream(streamInput({ name: 'small', ring: { bytes: '4KiB' } }));
  await app.publish({ topic: 'vehicle/n', payload: Buffer.alloc(5000), qos: 1 });
  await publishMany(app, '', 3);
  const { payloads, gaps } = await replayed(app, {}, 'small');
  assert.deepEqual(payloads, numbered('', 3));
  assert.deepEqual(
    gaps.map(({ reason, messages }) => [reason, messages]),
    [['too-large', 1]],
  );
  assert.equal((await replayed(app)).payloads.length, 4);
});

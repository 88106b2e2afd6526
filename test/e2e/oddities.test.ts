import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import mqtt from 'mqtt';
import { TOPIC_PROPERTY } from '../../src/query/outlet.js';
import { allFiles, ask, readFiles } from './answers.js';
import { startBroker } from './process.js';

const TOPICS = [
  'a topic with spaces/and more',
  '/',
  '//',
  '/leading',
  'trailing/',
  'fahrzeug/türe/左/🚗',
  '__proto__',
  'constructor/__proto__/toString',
  '../../x',
  '..',
  'a/../../../etc/passwd',
  'C:\\windows',
  `long/${'x'.repeat(65_000 - 5)}`,
];
const PAYLOADS = [Buffer.alloc(0), Buffer.from([0]), randomBytes(1024 * 1024)];

test('odd topics and payloads are captured, replayed and transferred; no path leaves the data folder', async (t) => {
  const broker = await startBroker(t, [
    { name: 'all', topics: ['#'], ring: { messages: 64, bytes: '64MiB' } },
  ]);
  const before = allFiles(broker.folder).filter((file) => !file.startsWith('data/'));
  const client = await mqtt.connectAsync(broker.tcp, { clientId: '../client/__proto__' });
  const published = TOPICS.flatMap((topic) => PAYLOADS.map((payload) => ({ topic, payload })));
  for (const [i, { topic, payload }] of published.entries()) {
    if (i === 20) {
      const flushed = await ask(broker.tcp, 'flush', { id: 'half', stream: 'all' }, broker.folder);
      assert.deepEqual(
        flushed.result.files.map(({ rows }) => rows),
        [20],
      );
    }
    await client.publishAsync(topic, payload, { qos: 1 });
  }
  await client.endAsync();

  const answer = await ask(broker.tcp, 'search', { id: 'odd', stream: 'all' }, join(broker.folder, 'in'));
  const answered = [...answer.rows, ...answer.messages].sort((a, b) => a.key - b.key);
  assert.ok(answer.rows.length > 0 && answer.messages.length > 0, 'some by file, some by message');
  assert.deepEqual(
    answered.map(({ topic }) => topic),
    published.map(({ topic }) => topic),
  );
  for (const [i, { payload }] of published.entries())
    assert.ok(answered[i].payload.equals(payload), `payload ${i}`);

  const replayed = await ask(broker.tcp, 'replay', { id: 'again', stream: 'all' }, broker.folder);
  assert.deepEqual(
    replayed.messages.map(({ topic }) => topic),
    published.map(({ topic }) => topic),
  );

  assert.equal(await broker.stop(), 0);
  const rows = await readFiles(join(broker.dataDir, 'streams/all'), '*/*.parquet');
  assert.equal(rows.length, published.length);
  assert.ok(rows.every(({ clientId }) => clientId === '../client/__proto__'));
  const after = allFiles(broker.folder).filter((file) => !/^(data|in)\//.test(file));
  assert.deepEqual(after, before);
  for (const file of allFiles(broker.dataDir)) {
    assert.match(
      file,
      /^(clock\.json|sessions\/[A-Z0-9a-z.-]+|streams\/all\/gaps\.log|streams\/all\/date=\d{4}-\d{2}-\d{2}\/\d+~\d+_\d+\.parquet)$/,
    );
  }
});

test('a topic too long for MQfile comes as an MQTT 5 user property', async (t) => {
  const broker = await startBroker(t, [{ name: 'all', topics: ['#'] }]);
  const topic = `very/${'long'.repeat(16_000)}/${'x'.repeat(1520)}`;
  assert.ok(topic.length > 65_490 && topic.length <= 65_535);
  const client = await mqtt.connectAsync(broker.tcp, { protocolVersion: 5 });
  await client.publishAsync(topic, 'payload', { qos: 1, properties: { userProperties: { unit: 'km' } } });
  await client.subscribeAsync('MQfile/long/#', { qos: 1 });
  const arrived = new Promise<{ topic: string; properties: object }>((resolve) => {
    client.on('message', (name, _payload, packet) => {
      resolve({ topic: name, properties: { ...packet.properties?.userProperties } });
    });
  });
  await client.publishAsync('$STREAM/replay', JSON.stringify({ id: 'long', stream: 'all' }), { qos: 1 });
  const got = await arrived;
  assert.match(got.topic, /^MQfile\/long\/\d{16}$/);
  assert.deepEqual(got.properties, { unit: 'km', [TOPIC_PROPERTY]: topic });
  await client.endAsync();
});

test('every bad request gets a result with a code, and the connection stays', async (t) => {
  const broker = await startBroker(t, [{ name: 'vehicle', topics: ['vehicle/#'] }]);
  const client = await mqtt.connectAsync(broker.tcp, { clientId: 'asker' });
  await client.subscribeAsync('$STREAM/result/#', { qos: 1 });
  const next = () =>
    new Promise<{ topic: string; code: string | undefined; ok: boolean }>((resolve) => {
      client.once('message', (topic, payload) => {
        const { ok, error } = JSON.parse(payload.toString()) as { ok: boolean; error?: { code: string } };
        resolve({ topic, code: error?.code, ok });
      });
    });
  const bad: [string, string | Buffer, string, string][] = [
    ['search', 'no json', 'asker', 'REQUEST_NOT_JSON'],
    ['search', '[]', 'asker', 'REQUEST_NOT_JSON'],
    ['search', Buffer.from([0xff, 0xfe]), 'asker', 'REQUEST_NOT_JSON'],
    ['search', '', 'asker', 'REQUEST_NOT_JSON'],
    ['search', '{"stream":"vehicle"}', 'asker', 'REQUEST_BAD_ID'],
    ['replay', '{"id":"a/b","stream":"vehicle"}', 'asker', 'REQUEST_BAD_ID'],
    ['replay', '{"id":7,"stream":"vehicle"}', 'asker', 'REQUEST_BAD_ID'],
    ['search', '{"id":"x1","stream":"other"}', 'x1', 'STREAM_NOT_FOUND'],
    ['search', '{"id":"x2","stream":"__proto__"}', 'x2', 'STREAM_NOT_FOUND'],
    ['search', '{"id":"x3"}', 'x3', 'REQUEST_INVALID'],
    ['search', '{"id":"x4","stream":"vehicle","surprise":1}', 'x4', 'REQUEST_INVALID'],
    ['search', '{"id":"x5","stream":"vehicle","topic":"a#"}', 'x5', 'REQUEST_INVALID'],
    ['replay', '{"id":"x6","stream":"vehicle","rate":-1}', 'x6', 'REQUEST_INVALID'],
    ['search', '{"id":"x7","stream":"vehicle","ranges":[{"start":2,"end":1}]}', 'x7', 'REQUEST_BAD_RANGE'],
    ['search', '{"id":"x8","stream":"vehicle","ranges":[{"start":"yesterday"}]}', 'x8', 'REQUEST_BAD_RANGE'],
    ['flush', '{"id":"x9","stream":"vehicle","ranges":[{}]}', 'x9', 'REQUEST_INVALID'],
    ['unheard', '{"id":"x10","stream":"vehicle"}', 'x10', 'REQUEST_UNKNOWN'],
    ['', '{"id":"x11","stream":"vehicle"}', 'x11', 'REQUEST_UNKNOWN'],
  ];
  for (const [verb, payload, name, code] of bad) {
    const result = next();
    await client.publishAsync(`$STREAM/${verb}`, payload, { qos: 1 });
    assert.deepEqual(
      await result,
      { topic: `$STREAM/result/${name}`, code, ok: false },
      `${verb} ${payload}`,
    );
  }
  const result = next();
  await client.publishAsync('$STREAM/search', '{"id":"good","stream":"vehicle"}', { qos: 1 });
  assert.deepEqual(await result, { topic: '$STREAM/result/good', code: undefined, ok: true });
  assert.equal(client.connected, true);
  await client.endAsync();
});

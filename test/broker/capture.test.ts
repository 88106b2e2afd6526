/** One key a message, given once, on entry. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generator } from '../catalog/generator.js';
import { FakeCapture, strictlyRising } from './fake-capture.js';
import { startBroker, until } from './fixture.js';
import { WireClient } from './wire-client.js';

const LASTING = { clientId: 'lasting', clean: false, properties: { sessionExpiryInterval: 60 } };

test('every publish of a client is captured once, in the order of arrival, with rising keys', async (t) => {
  const capture = new FakeCapture();
  const { tcp } = await startBroker(t, { capture });
  const client = await WireClient.connect(t, tcp.port, { clientId: 'c' });
  const random = generator(7);
  const publishes = Array.from({ length: 500 }, (_, i) =>
    client.publishPacket({
      topic: `t/${i % 5}`,
      payload: String(i),
      qos: Math.floor(random() * 3) as 0 | 1 | 2,
      retain: random() < 0.2,
    }),
  );
  client.send(...publishes);
  await client.sync();
  assert.deepEqual(
    capture.taken.map(({ clientId, topic, payload }) => [clientId, topic, payload]),
    publishes.map(({ topic, payload }) => ['c', topic, payload]),
  );
  assert.ok(strictlyRising(capture.keys));
});

test('what is published from inside is captured once, as nobody', async (t) => {
  const capture = new FakeCapture();
  const { broker } = await startBroker(t, { capture });
  for (const qos of [0, 1, 2]) {
    await new Promise<void>((resolve, reject) =>
      broker.publish({ topic: 'inside', payload: `qos ${qos}`, qos }, (error?: Error | null) =>
        error ? reject(error) : resolve(),
      ),
    );
  }
  assert.deepEqual(
    capture.taken.map(({ clientId, payload }) => [clientId, payload]),
    [
      [null, 'qos 0'],
      [null, 'qos 1'],
      [null, 'qos 2'],
    ],
  );
  assert.ok(strictlyRising(capture.keys));
});

test('a will is captured once, in the name of its client', async (t) => {
  const capture = new FakeCapture();
  const { tcp } = await startBroker(t, { capture });
  const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1 as const, retain: true };
  const client = await WireClient.connect(t, tcp.port, { clientId: 'c', will });
  await client.break();
  await until(() => capture.taken.length > 0);
  assert.deepEqual(
    { ...capture.taken[0], key: 0 },
    { key: 0, clientId: 'c', topic: 'will', payload: 'gone' },
  );
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('will');
  const retained = await watcher.nextPublish();
  assert.deepEqual([retained.payload.toString(), retained.retain], ['gone', true]);
  assert.equal(capture.taken.length, 1, 'a retained message that is delivered is not captured again');
});

test('a repetition of a QoS 2 message is not captured again, until its identifier is released', async (t) => {
  const capture = new FakeCapture();
  const { tcp } = await startBroker(t, { capture });
  const client = await WireClient.connect(t, tcp.port);
  const packet = client.publishPacket({ topic: 'a', payload: 'one', qos: 2, messageId: 9 });
  client.send(packet, { ...packet, dup: true }, { ...packet, dup: true });
  for (let i = 0; i < 3; i++) assert.equal((await client.next()).cmd, 'pubrec');
  client.send({ cmd: 'pubrel', messageId: 9 }, { ...packet, payload: 'two' });
  assert.equal((await client.next()).cmd, 'pubcomp');
  assert.equal((await client.next()).cmd, 'pubrec');
  assert.deepEqual(capture.payloads, ['one', 'two']);
});

for (const version of [4, 5] as const) {
  test(`a repetition on the next connection of a lasting session is not captured again, MQTT ${version}`, async (t) => {
    const capture = new FakeCapture();
    const { tcp } = await startBroker(t, { capture });
    // It subscribes to nothing, and has a session nevertheless.
    const first = await WireClient.open(t, tcp.port, version);
    assert.equal((await first.connect(LASTING)).sessionPresent, false);
    const packet = first.publishPacket({ topic: 'a', payload: 'one', qos: 2, messageId: 9 });
    first.send(packet);
    assert.equal((await first.next()).cmd, 'pubrec');
    await first.break();
    const second = await WireClient.open(t, tcp.port, version);
    assert.equal((await second.connect(LASTING)).sessionPresent, true);
    second.send({ ...packet, dup: true }, { cmd: 'pubrel', messageId: 9 });
    assert.equal((await second.next()).cmd, 'pubrec');
    assert.deepEqual(await second.next().then(({ cmd }) => cmd), 'pubcomp');
    assert.deepEqual(capture.payloads, ['one']);
  });
}

test('a session that begins anew knows nothing of identifiers of before', async (t) => {
  const capture = new FakeCapture();
  const { tcp } = await startBroker(t, { capture });
  for (const payload of ['one', 'two']) {
    const client = await WireClient.open(t, tcp.port);
    assert.equal((await client.connect({ ...LASTING, clean: true })).sessionPresent, false);
    client.publish({ topic: 'a', payload, qos: 2, messageId: 9 });
    assert.equal((await client.next()).cmd, 'pubrec');
    await client.break();
  }
  assert.deepEqual(capture.payloads, ['one', 'two']);
});

test('the own traffic of the broker is never captured', async (t) => {
  const capture = new FakeCapture();
  const { broker, tcp } = await startBroker(t, { capture });
  const transfer = await WireClient.connect(t, tcp.port, { username: 'mqtt-stream-transfer' });
  const subscriber = await WireClient.connect(t, tcp.port);
  await subscriber.subscribe([{ topic: '$SYS/#' }, { topic: 'ParquetFile/#' }, { topic: 'MQfile/#' }]);
  const other = await WireClient.connect(t, tcp.port);
  transfer.publish({ topic: 'ParquetFile/r/f/init', qos: 1 });
  assert.equal((await transfer.next()).cmd, 'puback');
  for (const topic of ['$SYS/x', '$STREAM/result/r', 'MQfile/r/1/a', 'ParquetFile/r/f/fin']) {
    await new Promise<void>((resolve) => broker.publish({ topic, payload: 'x' }, () => resolve()));
  }
  other.publish({ topic: '$STREAM/search', payload: '{}', qos: 1 });
  assert.equal((await other.next()).cmd, 'puback');
  const topics = (await subscriber.sync()).map((packet) => packet.cmd === 'publish' && packet.topic);
  assert.deepEqual(topics, ['ParquetFile/r/f/init', '$SYS/x', 'MQfile/r/1/a', 'ParquetFile/r/f/fin']);
  assert.deepEqual(capture.taken, []);
});

test('a message that a stream refuses is routed; a publisher of MQTT 5 learns of it', async (t) => {
  const capture = new FakeCapture();
  capture.refuses = () => true;
  const { tcp } = await startBroker(t, { capture });
  const subscriber = await WireClient.connect(t, tcp.port);
  await subscriber.subscribe('a');
  const codes: unknown[] = [];
  for (const version of [5, 4] as const) {
    const publisher = await WireClient.connect(t, tcp.port, { version });
    for (const qos of [0, 1, 2] as const)
      publisher.publish({ topic: 'a', payload: `${version} ${qos}`, qos });
    for (const packet of await publisher.sync()) {
      if (packet.cmd === 'puback' || packet.cmd === 'pubrec') codes.push([packet.cmd, packet.reasonCode]);
    }
  }
  assert.deepEqual(codes, [
    ['puback', 0x97],
    ['pubrec', 0x97],
    ['puback', undefined],
    ['pubrec', undefined],
  ]);
  const routed = (await subscriber.sync()).map(
    (packet) => packet.cmd === 'publish' && packet.payload.toString(),
  );
  assert.deepEqual(routed, ['5 0', '5 1', '5 2', '4 0', '4 1', '4 2']);
  assert.deepEqual(capture.payloads, routed);
});

test('a PUBREC that refuses frees the identifier: the next message under it is another one', async (t) => {
  const capture = new FakeCapture();
  capture.refuses = ({ payload }) => payload.toString() === 'one';
  const { tcp } = await startBroker(t, { capture });
  const client = await WireClient.connect(t, tcp.port);
  for (const payload of ['one', 'two']) client.publish({ topic: 'a', payload, qos: 2, messageId: 9 });
  const codes = (await client.sync()).map((packet) => packet.cmd === 'pubrec' && packet.reasonCode);
  assert.deepEqual(codes, [0x97, 0x10]);
  assert.deepEqual(capture.payloads, ['one', 'two']);
});

test('a capture that throws harms the publisher and nobody else, even with a will', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = ({ payload }) => {
    if (payload.toString() === 'bad') throw new Error('thrown on purpose');
    return true;
  };
  const { broker, tcp, log } = await startBroker(t, { capture });
  const client = await WireClient.connect(t, tcp.port);
  client.publish({ topic: 'a', payload: 'bad', qos: 1 });
  await client.ended;
  const other = await WireClient.connect(t, tcp.port, { will: { topic: 'a', payload: Buffer.from('bad') } });
  await other.break();
  await until(() => log.lines.some(({ level }) => level === 'error'));
  const error = await new Promise((resolve) => broker.publish({ topic: 'a', payload: 'bad' }, resolve));
  assert.match(String(error), /on purpose/);
  broker.publish({ topic: 'a', payload: 'good' }, null);
  assert.deepEqual(capture.payloads, ['good']);
});

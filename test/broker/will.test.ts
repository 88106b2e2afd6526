import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPublishPacket } from 'mqtt-packet';
import { FakeCapture } from './fake-capture.js';
import { startBroker, until } from './fixture.js';
import { messages, WireClient } from './wire-client.js';

const WILL = { topic: 'will', payload: Buffer.from('gone') };

for (const version of [4, 5] as const) {
  test(`a will is published when the connection breaks, with its QoS and retain flag; MQTT ${version}`, async (t) => {
    const { tcp } = await startBroker(t);
    const watcher = await WireClient.connect(t, tcp.port);
    await watcher.subscribe([{ topic: 'will', qos: 2, rap: true }]);
    for (const qos of [0, 1, 2] as const) {
      const retain = qos === 1;
      const client = await WireClient.connect(t, tcp.port, { version, will: { ...WILL, qos, retain } });
      await client.break();
      const packet = await watcher.nextPublish();
      assert.deepEqual([packet.payload.toString(), packet.qos, packet.retain], ['gone', qos, retain]);
    }
  });

  test(`after DISCONNECT there is none; MQTT ${version}`, async (t) => {
    const { tcp, broker } = await startBroker(t);
    const watcher = await WireClient.connect(t, tcp.port);
    await watcher.subscribe('will');
    const client = await WireClient.connect(t, tcp.port, { version, will: WILL });
    client.send({ cmd: 'disconnect', reasonCode: 0 });
    await client.ended;
    await until(() => broker.stats.connections === 1);
    assert.deepEqual(await watcher.sync(), []);
  });

  test(`at a takeover the will of the earlier connection is published; MQTT ${version}`, async (t) => {
    const { tcp } = await startBroker(t);
    const watcher = await WireClient.connect(t, tcp.port);
    await watcher.subscribe('will');
    const first = await WireClient.connect(t, tcp.port, { version, clientId: 'c', will: WILL });
    await WireClient.connect(t, tcp.port, { version, clientId: 'c' });
    await first.ended;
    assert.equal((await watcher.nextPublish()).payload.toString(), 'gone');
    assert.deepEqual(await watcher.sync(), []);
  });
}

test('DISCONNECT with reason 4 asks for the will', async (t) => {
  const { tcp } = await startBroker(t);
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('will');
  const client = await WireClient.connect(t, tcp.port, { will: WILL });
  client.send({ cmd: 'disconnect', reasonCode: 4 });
  assert.equal((await watcher.nextPublish()).payload.toString(), 'gone');
});

test('delay 0 is no delay; properties go along, the delay does not', async (t) => {
  const { tcp } = await startBroker(t);
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('will');
  const properties = { willDelayInterval: 0, contentType: 'text/plain', userProperties: { a: ['1', '2'] } };
  const client = await WireClient.connect(t, tcp.port, { will: { ...WILL, properties } });
  await client.break();
  const packet: IPublishPacket = await watcher.nextPublish();
  assert.equal(packet.properties?.contentType, 'text/plain');
  assert.deepEqual({ ...packet.properties?.userProperties }, { a: ['1', '2'] });
  assert.deepEqual(Object.keys(packet.properties ?? {}).sort(), ['contentType', 'userProperties']);
});

test('a delayed will waits, and a reconnect in time cancels it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { tcp, broker } = await startBroker(t);
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('will');
  const who = {
    clientId: 'c',
    clean: false,
    properties: { sessionExpiryInterval: 600 },
    will: { ...WILL, properties: { willDelayInterval: 5 } },
  };
  const first = await WireClient.connect(t, tcp.port, who);
  await first.break();
  await until(() => broker.sessions.get('c')?.outbox === null);
  t.mock.timers.tick(4_999);
  const second = await WireClient.connect(t, tcp.port, who);
  t.mock.timers.tick(10_000);
  assert.deepEqual(await watcher.sync(), []);
  await second.break();
  await until(() => broker.sessions.get('c')?.outbox === null);
  t.mock.timers.tick(5_000);
  assert.deepEqual(messages(await watcher.sync()), ['will gone']);
});

test('a keep-alive that runs out publishes the will', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { tcp, broker } = await startBroker(t);
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('will');
  await WireClient.connect(t, tcp.port, { clientId: 'c', keepalive: 10, will: WILL });
  await until(() => broker.clients.c?.connected);
  t.mock.timers.tick(15_000);
  assert.deepEqual(await watcher.sync(), []);
  t.mock.timers.tick(1);
  assert.equal((await watcher.nextPublish()).payload.toString(), 'gone');
});

test('a will on a reserved topic goes nowhere', async (t) => {
  const capture = new FakeCapture();
  const { tcp, broker } = await startBroker(t, { capture });
  const watcher = await WireClient.connect(t, tcp.port);
  const topics = ['$SYS/x', '$STREAM/search', '$STREAM/result/x', 'MQfile/x', 'ParquetFile/x'];
  await watcher.subscribe(topics.map((topic) => ({ topic })));
  let requests = 0;
  broker.events.onRequest = () => {
    requests++;
  };
  for (const topic of topics) {
    const client = await WireClient.connect(t, tcp.port, { will: { ...WILL, topic } });
    await client.break();
  }
  await until(() => broker.stats.connections === 1);
  assert.deepEqual(await watcher.sync(), []);
  assert.equal(requests, 0);
  assert.deepEqual(capture.taken, []);
});

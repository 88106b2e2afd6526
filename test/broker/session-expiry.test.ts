/** When a session ends, and what is left of it: nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Broker } from '../../src/broker/broker.js';
import { startBroker, until } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

function assertNothingLeft(broker: Broker): void {
  assert.equal(broker.sessions.count, 0);
  assert.equal(broker.router.subscriptionCount, 0);
}

test('a clean session of MQTT 3 ends with its connection', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port, { version: 4 });
  await client.subscribe('a');
  await client.break();
  await until(() => broker.sessions.count === 0);
  assertNothingLeft(broker);
});

test('a session of MQTT 5 without an expiry interval ends with its connection', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port, { clean: false });
  await client.subscribe('a');
  await client.break();
  await until(() => broker.sessions.count === 0);
  assertNothingLeft(broker);
});

test('a session ends when its expiry interval has passed, and not before', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port, {
    clientId: 'c',
    properties: { sessionExpiryInterval: 10 },
  });
  await client.subscribe('a');
  await client.break();
  await until(() => broker.sessions.get('c')?.outbox === null);
  t.mock.timers.tick(9_999);
  assert.equal(broker.router.subscriptionCount, 1);
  t.mock.timers.tick(1);
  assertNothingLeft(broker);
});

test('a reconnect in time keeps the session for good', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { tcp, broker } = await startBroker(t);
  const who = { clientId: 'c', clean: false, properties: { sessionExpiryInterval: 10 } };
  const first = await WireClient.connect(t, tcp.port, who);
  await first.subscribe('a');
  await first.break();
  await until(() => broker.sessions.get('c')?.outbox === null);
  t.mock.timers.tick(9_999);
  const second = await WireClient.open(t, tcp.port);
  assert.equal((await second.connect(who)).sessionPresent, true);
  t.mock.timers.tick(100_000);
  second.publish({ topic: 'a', payload: 'x' });
  assert.deepEqual(payloads(await second.sync()), ['x']);
});

test('DISCONNECT with expiry interval 0 ends a session that would have lasted', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port, { properties: { sessionExpiryInterval: 600 } });
  await client.subscribe('a');
  client.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
  await client.ended;
  await until(() => broker.sessions.count === 0);
  assertNothingLeft(broker);
});

test('DISCONNECT cannot make a session last that CONNECT did not', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe('a');
  client.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 600 } });
  await client.ended;
  await until(() => broker.sessions.count === 0);
  assertNothingLeft(broker);
});

test('a session that lasts can be resumed for the last time: what waited is delivered, then it ends', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const first = await WireClient.connect(t, tcp.port, {
    clientId: 'c',
    properties: { sessionExpiryInterval: 600 },
  });
  await first.subscribe('a');
  await first.break();
  const publisher = await WireClient.connect(t, tcp.port);
  publisher.publish({ topic: 'a', payload: 'waited', qos: 1 });
  await publisher.sync();
  const second = await WireClient.open(t, tcp.port);
  assert.equal((await second.connect({ clientId: 'c', clean: false })).sessionPresent, true);
  assert.equal((await second.nextPublish()).payload.toString(), 'waited');
  await second.break();
  await until(() => broker.sessions.count === 1);
  assert.equal(broker.router.subscriptionCount, 0);
});

for (const version of [4, 5] as const) {
  test(`a clean start discards the session of before: subscriptions and what waited; MQTT ${version}`, async (t) => {
    const { tcp, broker } = await startBroker(t);
    const lasting = { clientId: 'c', clean: false, version, properties: { sessionExpiryInterval: 600 } };
    const first = await WireClient.connect(t, tcp.port, lasting);
    await first.subscribe('a');
    await first.break();
    const publisher = await WireClient.connect(t, tcp.port);
    publisher.publish({ topic: 'a', payload: 'waited', qos: 1 });
    await publisher.sync();
    const second = await WireClient.open(t, tcp.port, version);
    assert.equal((await second.connect({ ...lasting, clean: true })).sessionPresent, false);
    second.publish({ topic: 'a', payload: 'x', qos: 1 });
    assert.deepEqual(
      (await second.sync()).map(({ cmd }) => cmd),
      ['puback'],
    );
    assert.equal(broker.router.subscriptionCount, 0);
  });
}

test('a connection that goes while it is let in leaves nothing behind', async (t) => {
  const { tcp, broker } = await startBroker(t);
  for (let i = 0; i < 30; i++) {
    const client = await WireClient.open(t, tcp.port, 4);
    client.send(client.connectPacket({ clientId: `c${i % 3}`, clean: i % 2 === 0 }), {
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'a', qos: 1 }],
    });
    // In all stages of the way in.
    for (let turn = 0; turn < i % 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    client.conn.destroy();
  }
  await until(() => broker.stats.connections === 0);
  for (const { clientId, outbox } of broker.sessions.all()) assert.equal(outbox, null, clientId);
  const kept = [...broker.sessions.all()].reduce((sum, { subscriptions }) => sum + subscriptions.size, 0);
  assert.equal(broker.router.subscriptionCount, kept);
  for (const clientId of ['c0', 'c1', 'c2']) {
    const client = await WireClient.connect(t, tcp.port, { version: 4, clientId });
    client.publish({ topic: 'a', qos: 1 });
    assert.deepEqual(
      (await client.sync()).map(({ cmd }) => cmd),
      ['puback'],
    );
    await client.break();
  }
  await until(() => broker.stats.connections === 0);
  await until(() => broker.sessions.count === 0);
  assertNothingLeft(broker);
});

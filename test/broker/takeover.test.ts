/** A client id that connects again while its earlier connection is there [MQTT-3.1.4-3]. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { IPublishPacket } from 'mqtt-packet';
import { FakeCapture, noRoom } from './fake-capture.js';
import { startBroker, until } from './fixture.js';
import { type ConnectOptions, payloads, WireClient } from './wire-client.js';

const CLEAN: ConnectOptions = { clientId: 'c' };
const LASTING: ConnectOptions = { clientId: 'c', clean: false, properties: { sessionExpiryInterval: 600 } };

test('the earlier connection is told so and closed', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const first = await WireClient.connect(t, tcp.port, CLEAN);
  await WireClient.connect(t, tcp.port, CLEAN);
  const told = await first.next();
  assert.equal(told.cmd === 'disconnect' && told.reasonCode, 0x8e);
  await first.ended;
  const third = await WireClient.connect(t, tcp.port, { ...CLEAN, version: 4 });
  await WireClient.connect(t, tcp.port, { ...CLEAN, version: 4 });
  await third.ended;
  assert.deepEqual(third.take(), [], 'MQTT 3 has no way to tell');
  await until(() => broker.stats.connections === 1);
  assert.equal(broker.sessions.count, 1);
});

/** After a takeover: the second connection works, its session is the only one, and ends with it. */
async function assertWorks(t: TestContext, version: 4 | 5, before: ConnectOptions, after: ConnectOptions) {
  const { tcp, broker } = await startBroker(t);
  const first = await WireClient.connect(t, tcp.port, { ...before, version });
  await first.subscribe('old');
  const second = await WireClient.open(t, tcp.port, version);
  // In one segment, so that it subscribes while the first is not yet gone.
  second.send(
    second.connectPacket(after),
    { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'new', qos: 1 }] },
    second.publishPacket({ topic: 'old', payload: 'old' }),
    second.publishPacket({ topic: 'new', payload: 'new' }),
  );
  const connack = await second.next();
  const resumed = before.clean === false && after.clean === false;
  assert.equal(connack.cmd === 'connack' && connack.sessionPresent, resumed);
  await first.ended;
  await until(() => broker.stats.connections === 1);
  assert.deepEqual(payloads(await second.sync()), resumed ? ['old', 'new'] : ['new']);
  assert.equal(broker.sessions.count, 1);
  assert.equal(broker.router.subscriptionCount, resumed ? 2 : 1);
  assert.equal(broker.sessions.get('c')!.outbox!.client, broker.clients.c);
  await second.break();
  await until(() => broker.stats.connections === 0);
  const kept = after.clean === false && (version === 4 || after.properties !== undefined);
  assert.equal(broker.sessions.count, kept ? 1 : 0);
  assert.equal(broker.router.subscriptionCount, kept ? (resumed ? 2 : 1) : 0);
}

for (const version of [4, 5] as const) {
  test(`clean after clean, MQTT ${version}`, (t) => assertWorks(t, version, CLEAN, CLEAN));
  test(`lasting after clean, MQTT ${version}`, (t) => assertWorks(t, version, CLEAN, LASTING));
  test(`clean after lasting, MQTT ${version}`, (t) => assertWorks(t, version, LASTING, CLEAN));
  test(`lasting after lasting, MQTT ${version}`, (t) => assertWorks(t, version, LASTING, LASTING));
}

test('many connections of one client at once: one is left, with one session', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const clients = await Promise.all(Array.from({ length: 20 }, () => WireClient.open(t, tcp.port, 4)));
  for (const client of clients) {
    client.send(client.connectPacket(CLEAN), {
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'a', qos: 0 }],
    });
  }
  await until(() => broker.stats.connections === 1 && broker.router.subscriptionCount === 1);
  assert.equal(broker.sessions.count, 1);
  const publisher = await WireClient.connect(t, tcp.port);
  publisher.publish({ topic: 'a', payload: 'x', qos: 1 });
  assert.equal((await publisher.next()).cmd, 'puback');
  const [left] = clients.filter(({ conn }) => !conn.destroyed);
  assert.ok(payloads(await left.sync()).includes('x'));
});

test('messages in flight to a lasting session at the takeover come again on the new connection', async (t) => {
  const { tcp } = await startBroker(t);
  const first = await WireClient.connect(t, tcp.port, LASTING);
  await first.subscribe([{ topic: 'a', qos: 1 }]);
  const publisher = await WireClient.connect(t, tcp.port);
  const publish = async (payload: string) => {
    publisher.publish({ topic: 'a', payload, qos: 1 });
    await publisher.next();
  };
  await publish('1');
  await publish('2');
  const sent = (await first.sync()) as IPublishPacket[];
  first.send({ cmd: 'puback', messageId: sent[0].messageId! });
  await first.sync();
  const second = await WireClient.open(t, tcp.port);
  second.send(second.connectPacket(LASTING));
  await publish('3');
  assert.equal((await second.next()).cmd, 'connack');
  await publish('4');
  const got = (await second.sync()) as IPublishPacket[];
  assert.deepEqual(payloads(got), ['2', '3', '4']);
  assert.deepEqual([got[0].dup, got[0].messageId], [true, sent[1].messageId]);
  assert.equal(new Set(got.map(({ messageId }) => messageId)).size, 3);
});

test('a publish in flight at the takeover is captured once; the rest of the old connection goes nowhere', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = noRoom;
  const { tcp, broker } = await startBroker(t, { capture });
  const first = await WireClient.connect(t, tcp.port, { ...LASTING, version: 4 });
  first.send(
    first.publishPacket({ topic: 'a', payload: '1', qos: 1 }),
    first.publishPacket({ topic: 'a', payload: '2', qos: 2, messageId: 77 }),
    { cmd: 'subscribe', messageId: 5, subscriptions: [{ topic: 'x', qos: 0 }] },
  );
  await capture.waits(1);
  const second = await WireClient.connect(t, tcp.port, { ...LASTING, version: 4 });
  await first.ended;
  second.send({ ...second.publishPacket({ topic: 'a', payload: '2', qos: 2, messageId: 77 }), dup: true });
  await capture.waits(2);
  capture.makeRoom();
  assert.equal((await second.next()).cmd, 'pubrec');
  assert.deepEqual(capture.payloads.sort(), ['1', '2']);
  assert.equal(broker.router.subscriptionCount, 0);
});

test('a connection that does not read is taken over at once', async (t) => {
  const { tcp, broker } = await startBroker(t);
  for (const version of [4, 5] as const) {
    const clientId = `c${version}`;
    const frozen = await WireClient.connect(t, tcp.port, { clientId, version });
    await frozen.subscribe([{ topic: clientId, qos: 0 }]);
    frozen.conn.pause();
    const publisher = await WireClient.connect(t, tcp.port);
    const { conn } = broker.clients[clientId];
    while (!conn.writableNeedDrain) {
      publisher.publish({ topic: clientId, payload: Buffer.alloc(100_000) });
      await publisher.sync();
    }
    const second = await WireClient.connect(t, tcp.port, { clientId, version });
    await second.subscribe([{ topic: clientId, qos: 0 }]);
    publisher.publish({ topic: clientId, payload: 'x' });
    assert.equal((await second.nextPublish()).payload.toString(), 'x');
    assert.equal(conn.destroyed, true);
  }
});

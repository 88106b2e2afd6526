/** What is delivered past the queues, at the pace of its subscribers: replays and files. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { PublishPacket } from '../../src/broker/aedes-internals.js';
import type { Broker } from '../../src/broker/broker.js';
import { FakeCapture } from './fake-capture.js';
import { startBroker, until } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

function packet(topic: string, payload: string | Buffer, qos: 0 | 1 | 2 = 1): PublishPacket {
  return { cmd: 'publish', topic, payload: Buffer.from(payload), qos, retain: false, dup: false };
}

/** Who is busy after a delivery. */
function deliver(broker: Broker, one: PublishPacket): string[] {
  const busy: string[] = [];
  broker.deliver(one, ({ session }) => busy.push(session.clientId));
  return busy;
}

async function subscriber(t: TestContext, port: number, clientId: string, inflight = 3): Promise<WireClient> {
  const properties = { receiveMaximum: inflight, sessionExpiryInterval: 600 };
  const client = await WireClient.connect(t, port, { clientId, properties });
  await client.subscribe('MQfile/#');
  return client;
}

test('it goes to those that are connected, without a key, and is kept for nobody', async (t) => {
  const capture = new FakeCapture();
  const { tcp, broker } = await startBroker(t, { capture });
  const away = await subscriber(t, tcp.port, 'away');
  await away.break();
  await until(() => broker.clients.away === undefined);
  const here = await subscriber(t, tcp.port, 'here');
  assert.deepEqual(deliver(broker, packet('MQfile/r/1/a', 'x')), []);
  const [got] = await here.sync();
  assert.equal(got.cmd === 'publish' && got.qos, 1);
  assert.equal(broker.sessions.get('away')!.backlog.messages, 0);
  assert.equal(broker.sessions.get('here')!.backlog.messages, 0);
  assert.deepEqual(capture.taken, []);
  // It is acknowledged as others are, QoS 2 too.
  here.send({ cmd: 'puback', messageId: got.messageId! });
  deliver(broker, packet('MQfile/r/2/a', 'y', 2));
  const [second] = await here.sync();
  here.send({ cmd: 'pubrec', messageId: second.messageId! });
  assert.deepEqual(
    (await here.sync()).map(({ cmd }) => cmd),
    ['pubrel'],
  );
});

test('a subscriber is busy while messages wait for its acknowledgements, and says when it is not', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await subscriber(t, tcp.port, 'c');
  for (let i = 0; i < 3; i++) assert.deepEqual(deliver(broker, packet('MQfile/r', String(i))), []);
  assert.deepEqual(deliver(broker, packet('MQfile/r', '3')), ['c']);
  const { outbox } = broker.sessions.get('c')!;
  let relieved = 0;
  for (let i = 0; i < 2; i++) outbox!.onRelief(() => relieved++);
  const got = await client.sync();
  assert.deepEqual(payloads(got), ['0', '1', '2']);
  assert.equal(relieved, 0);
  client.send({ cmd: 'puback', messageId: got[0].messageId! });
  assert.deepEqual(payloads(await client.sync()), ['3']);
  assert.equal(relieved, 2);
  outbox!.onRelief(() => relieved++);
  assert.equal(relieved, 3, 'at once when it is not busy');
});

test('a subscriber that does not read is busy; relief comes when it reads or goes', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const payload = Buffer.alloc(100_000);
  for (const clientId of ['reads', 'goes']) {
    const client = await subscriber(t, tcp.port, clientId);
    client.conn.pause();
    const isBusy = () => deliver(broker, packet('MQfile/r', payload, 0)).includes(clientId);
    await until(isBusy);
    let relieved = 0;
    broker.sessions.get(clientId)!.outbox!.onRelief(() => relieved++);
    assert.equal(relieved, 0);
    if (clientId === 'reads') client.conn.resume();
    else client.conn.destroy();
    await until(() => relieved === 1);
    await client.break();
  }
});

test('what waits behind a full socket goes on when the socket is empty, though nothing is acknowledged', async (t) => {
  const { tcp, broker } = await startBroker(t, { limits: { clientQueueBytes: 256 * 1024 } });
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe('a');
  client.conn.pause();
  const payload = Buffer.alloc(50_000);
  await until(() => {
    broker.publish({ topic: 'a', payload }, null);
    return broker.stats.dropped > 0;
  });
  broker.publish({ topic: 'a', payload: 'QoS 1', qos: 1 }, null);
  broker.publish({ topic: 'a', payload: 'QoS 0' }, null);
  assert.equal(broker.queued.messages, 1, 'that of QoS 0 has no room');
  client.conn.resume();
  await until(() => broker.queued.bytes === 0);
  broker.publish({ topic: 'a', payload: 'last' }, null);
  const got = payloads(await client.sync());
  assert.deepEqual(got.slice(-2), ['QoS 1', 'last']);
});

test('a chunk of the transfer client is acknowledged when its receivers have taken it', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const receiver = await WireClient.connect(t, tcp.port, { properties: { receiveMaximum: 1 } });
  await receiver.subscribe('ParquetFile/#');
  const transfer = await WireClient.connect(t, tcp.port, { username: 'mqtt-stream-transfer' });
  for (const payload of ['1', '2', '3']) transfer.publish({ topic: 'ParquetFile/r/f/0', payload, qos: 1 });
  assert.deepEqual(
    (await transfer.sync()).map(({ cmd }) => cmd),
    ['puback'],
    'the first has gone out',
  );
  for (let i = 0; i < 3; i++) {
    const chunk = await receiver.nextPublish();
    receiver.send({ cmd: 'puback', messageId: chunk.messageId! });
  }
  await receiver.sync();
  assert.deepEqual(
    (await transfer.sync()).map(({ cmd }) => cmd),
    ['puback', 'puback'],
  );
  assert.equal(broker.queued.messages, 0);
});

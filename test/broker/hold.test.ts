/** A publisher whose message waits for room in a ring waits with it; nobody else does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeCapture, noRoom, strictlyRising } from './fake-capture.js';
import { startBroker, until } from './fixture.js';
import { messages, payloads, WireClient } from './wire-client.js';

const LASTING = { clean: false, properties: { sessionExpiryInterval: 60 } };

test('what comes after a message that waits keeps its order: SUBSCRIBE, PUBREL, PUBLISH, UNSUBSCRIBE', async (t) => {
  const capture = new FakeCapture();
  const { tcp, broker } = await startBroker(t, { capture });
  const client = await WireClient.connect(t, tcp.port);
  client.publish({ topic: 'a', payload: 'before', qos: 2, messageId: 1 });
  assert.equal((await client.next()).cmd, 'pubrec');
  capture.hasRoom = noRoom;
  client.send(
    client.publishPacket({ topic: 'a', payload: '1', qos: 1, messageId: 2 }),
    { cmd: 'pubrel', messageId: 1 },
    { cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: 'a', qos: 0 }] },
    client.publishPacket({ topic: 'a', payload: '2', qos: 1, messageId: 4 }),
    { cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['a'] },
    client.publishPacket({ topic: 'a', payload: '3', qos: 2, messageId: 6 }),
    { cmd: 'pingreq' },
  );
  await capture.waits(1);
  assert.equal(broker.heldConnections, 1);
  assert.deepEqual(client.take(), []);
  // Each of the three waits in its turn.
  capture.makeRoomForOne();
  assert.deepEqual(capture.waiting, ['2']);
  capture.makeRoomForOne();
  assert.deepEqual(capture.waiting, ['3']);
  capture.makeRoom();
  assert.equal(broker.heldConnections, 0);
  const answers: string[] = [];
  while (answers.at(-1) !== 'pingresp') {
    const packet = await client.next();
    answers.push(packet.cmd === 'publish' ? `publish ${packet.payload.toString()}` : packet.cmd);
  }
  assert.deepEqual(answers, [
    'puback',
    'pubcomp',
    'suback',
    'publish 2',
    'puback',
    'unsuback',
    'pubrec',
    'pingresp',
  ]);
  assert.deepEqual(capture.payloads, ['before', '1', '2', '3']);
  assert.ok(strictlyRising(capture.keys));
});

test('a publisher that waits is not read: what it sends stays in its socket', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = ({ topic }) => topic !== 'full';
  const { tcp, broker } = await startBroker(t, { capture });
  const publisher = await WireClient.connect(t, tcp.port, { clientId: 'p' });
  const payload = Buffer.alloc(16 * 1024);
  publisher.publish({ topic: 'full', payload: 'x' });
  await capture.waits(1);
  const { conn } = broker.clients.p;
  // As much as it likes, until nothing moves any more.
  for (let i = 0; i < 1000; i++) publisher.publish({ topic: 'full', payload, qos: 1 });
  await until(() => broker.heldConnections === 1);
  const other = await WireClient.connect(t, tcp.port);
  for (let i = 0; i < 200; i++) await other.sync();
  assert.ok(publisher.conn.writableLength > 0, 'the sender feels it');
  assert.ok(conn.readableLength <= 2 * 64 * 1024, `${conn.readableLength}`);
  assert.deepEqual(capture.waiting, ['x']);
  capture.makeRoom();
  assert.equal((await publisher.sync()).length, 1000);
  assert.equal(capture.taken.length, 1001);
});

test('other publishers go on meanwhile', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = ({ topic }) => topic !== 'full';
  const { tcp } = await startBroker(t, { capture });
  const held = await WireClient.connect(t, tcp.port);
  held.publish({ topic: 'full', payload: 'x', qos: 1 });
  await capture.waits(1);
  const other = await WireClient.connect(t, tcp.port);
  await other.subscribe('b');
  for (let i = 0; i < 10; i++) other.publish({ topic: 'b', payload: String(i), qos: 1 });
  assert.equal((await other.sync()).length, 20);
  assert.deepEqual(held.take(), []);
});

test('a held connection still gets its messages', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = ({ topic }) => topic !== 'full';
  const { tcp } = await startBroker(t, { capture });
  const held = await WireClient.connect(t, tcp.port);
  await held.subscribe('b');
  held.publish({ topic: 'full', payload: 'x' });
  await capture.waits(1);
  const other = await WireClient.connect(t, tcp.port);
  other.publish({ topic: 'b', payload: 'for you' });
  assert.equal((await held.nextPublish()).payload.toString(), 'for you');
});

test('a held connection does not time out though its PINGREQs are not read', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = noRoom;
  const { tcp, broker } = await startBroker(t, { capture });
  const held = await WireClient.connect(t, tcp.port, { clientId: 'held', keepalive: 1 });
  held.publish({ topic: 'a', payload: 'x', qos: 1 });
  await capture.waits(1);
  const silent = await WireClient.connect(t, tcp.port, { clientId: 'silent', keepalive: 1 });
  await silent.ended;
  assert.notEqual(broker.clients.held, undefined);
  capture.makeRoom();
  assert.equal((await held.next()).cmd, 'puback');
  // From now on it counts again.
  await held.ended;
});

test('DISCONNECT behind a message that waits comes after it, and there is no will', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = ({ topic }) => topic !== 'full';
  const { tcp, broker } = await startBroker(t, { capture });
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('#');
  const will = { topic: 'will', payload: Buffer.from('gone') };
  const client = await WireClient.connect(t, tcp.port, { clientId: 'c', will });
  client.send(
    client.publishPacket({ topic: 'full', payload: '1' }),
    client.publishPacket({ topic: 'free', payload: '2' }),
    { cmd: 'disconnect', reasonCode: 0 },
  );
  client.conn.end();
  await capture.waits(1);
  assert.notEqual(broker.clients.c, undefined);
  capture.makeRoom();
  await client.ended;
  await until(() => broker.clients.c === undefined);
  assert.deepEqual(messages(await watcher.sync()), ['full 1', 'free 2']);
});

test('what was published before a held connection broke is routed; subscriptions of it are not made', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = noRoom;
  const { tcp, broker } = await startBroker(t, { capture });
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('#');
  const client = await WireClient.connect(t, tcp.port, { clientId: 'c' });
  client.send(
    client.publishPacket({ topic: 'a', payload: '1' }),
    { cmd: 'subscribe', messageId: 7, subscriptions: [{ topic: 'x', qos: 0 }] },
    client.publishPacket({ topic: 'a', payload: '2', qos: 1 }),
  );
  await capture.waits(1);
  broker.clients.c.conn.destroy();
  await until(() => broker.clients.c === undefined);
  capture.makeRoom();
  assert.deepEqual(payloads(await watcher.sync()), ['1', '2']);
  assert.equal(broker.router.subscriptionCount, 1, 'that of the watcher');
  assert.equal(broker.heldConnections, 0);
  assert.equal(broker.sessions.count, 1);
});

test('a QoS 2 message that waits and is repeated on the next connection is captured once, and only then acknowledged', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = noRoom;
  const { tcp } = await startBroker(t, { capture });
  const who = { ...LASTING, clientId: 'c' };
  const first = await WireClient.connect(t, tcp.port, who);
  const packet = first.publishPacket({ topic: 'a', payload: 'x', qos: 2, messageId: 5 });
  first.send(packet);
  await capture.waits(1);
  await first.break();
  const second = await WireClient.connect(t, tcp.port, who);
  second.send({ ...packet, dup: true });
  assert.deepEqual(await second.sync(), []);
  capture.makeRoom();
  assert.equal((await second.next()).cmd, 'pubrec');
  second.send({ ...packet, dup: true });
  assert.equal((await second.next()).cmd, 'pubrec');
  assert.deepEqual(capture.payloads, ['x']);
});

test('room that is found in the call of `wait` itself does not hold the publisher for ever', async (t) => {
  const capture = new FakeCapture();
  let full = true;
  capture.hasRoom = () => !full;
  capture.wait = (_origin, _packet, room) => {
    full = false;
    room();
  };
  const { tcp, broker } = await startBroker(t, { capture });
  const client = await WireClient.connect(t, tcp.port);
  client.publish({ topic: 'a', payload: 'x', qos: 1 });
  assert.deepEqual(
    (await client.sync()).map(({ cmd }) => cmd),
    ['puback'],
  );
  assert.equal(broker.heldConnections, 0);
});

test('what is published from inside waits too', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = noRoom;
  const { broker } = await startBroker(t, { capture });
  let done = false;
  broker.publish({ topic: 'inside', payload: 'x' }, () => {
    done = true;
  });
  await capture.waits(1);
  assert.equal(done, false);
  capture.makeRoom();
  assert.equal(done, true);
  assert.deepEqual(capture.payloads, ['x']);
});

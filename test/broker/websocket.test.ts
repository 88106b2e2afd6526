import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import mqttPacket from 'mqtt-packet';
import { WebSocket } from 'ws';
import type { Listener } from '../../src/broker/listeners.js';
import { FakeCapture, noRoom } from './fake-capture.js';
import { mqttClient, startBroker, until } from './fixture.js';
import { messages, payloads, WireClient } from './wire-client.js';

const CONNECT = mqttPacket.generate({ cmd: 'connect', protocolVersion: 4, clientId: 'ws', clean: true });
const SUBSCRIBE = mqttPacket.generate({
  cmd: 'subscribe',
  messageId: 1,
  subscriptions: [{ topic: '#', qos: 0 }],
});

function publishOf(topic: string, payload: string | Buffer, qos: 0 | 1 = 0): Buffer {
  return mqttPacket.generate({
    cmd: 'publish',
    topic,
    payload,
    qos,
    ...(qos > 0 ? { messageId: 1 } : {}),
    retain: false,
    dup: false,
  });
}

async function open(t: TestContext, { url }: Listener, protocols: string[] = ['mqtt']): Promise<WebSocket> {
  const socket = new WebSocket(url, protocols);
  t.after(() => socket.terminate());
  socket.on('error', () => {});
  await once(socket, 'open');
  return socket;
}

/** A WebSocket that has said CONNECT, and the frames that it gets from then on. */
async function connected(
  t: TestContext,
  listener: Listener,
): Promise<{ socket: WebSocket; frames: Buffer[] }> {
  const socket = await open(t, listener);
  const frames: Buffer[] = [];
  socket.on('message', (data) => frames.push(data as Buffer));
  socket.send(CONNECT);
  await until(() => frames.length > 0);
  assert.equal(frames.splice(0)[0].length, 4, 'CONNACK is one frame');
  return { socket, frames };
}

function tcpSide(socket: WebSocket): Socket {
  return (socket as unknown as { _socket: Socket })._socket;
}

for (const protocolVersion of [4, 5] as const) {
  test(`messages of every QoS over WebSocket, MQTT ${protocolVersion}`, async (t) => {
    const { ws } = await startBroker(t);
    const client = await mqttClient(t, ws, { protocolVersion });
    const got: string[] = [];
    client.on('message', (topic, payload) => got.push(`${topic} ${payload.toString()}`));
    await client.subscribeAsync('a/#', { qos: 2 });
    for (const qos of [0, 1, 2] as const) await client.publishAsync('a/b', `qos ${qos}`, { qos });
    await until(() => got.length === 3);
    assert.deepEqual(got, ['a/b qos 0', 'a/b qos 1', 'a/b qos 2']);
  });
}

test('the subprotocol is mqtt, or mqttv3.1 for those that know only this', async (t) => {
  const { ws } = await startBroker(t);
  assert.equal((await open(t, ws, ['mqtt'])).protocol, 'mqtt');
  assert.equal((await open(t, ws, ['mqttv3.1'])).protocol, 'mqttv3.1');
  assert.equal((await open(t, ws, ['mqttv3.1', 'mqtt'])).protocol, 'mqtt');
  assert.equal((await open(t, ws, [])).protocol, '');
  await assert.rejects(open(t, ws, ['other']));
  await assert.rejects(open(t, { ...ws, url: `${ws.url}/other` }));
});

test('whoever comes with plain HTTP is told to upgrade', async (t) => {
  const { ws } = await startBroker(t);
  const answer = await fetch(ws.url.replace('ws:', 'http:'), { headers: { connection: 'close' } });
  assert.equal(answer.status, 426);
  assert.equal(await answer.text(), 'MQTT over WebSocket only\n');
});

test('a text frame ends the connection, and the will is published', async (t) => {
  const { ws, tcp } = await startBroker(t);
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('#');
  const socket = await open(t, ws);
  socket.send(
    mqttPacket.generate({
      cmd: 'connect',
      protocolVersion: 4,
      clientId: 'c',
      clean: true,
      will: { topic: 'will', payload: 'gone' },
    }),
  );
  await once(socket, 'message');
  socket.send(publishOf('a', 'as text').toString('latin1'), { binary: false });
  socket.send(publishOf('a', 'after it'));
  await once(socket, 'close');
  assert.deepEqual(messages([await watcher.nextPublish()]), ['will gone']);
  assert.deepEqual(await watcher.sync(), []);
});

test('packets in any frames: many in one, one in many, of megabytes', async (t) => {
  const { ws, tcp } = await startBroker(t);
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('a');
  const { socket } = await connected(t, ws);
  socket.send(Buffer.concat(Array.from({ length: 100 }, (_, i) => publishOf('a', String(i)))));
  for (const byte of publishOf('a', 'byte by byte')) socket.send(Buffer.of(byte));
  const large = Buffer.alloc(5 * 1024 * 1024, 'x');
  socket.send(publishOf('a', large));
  for (let i = 0; i < 100; i++) assert.equal((await watcher.nextPublish()).payload.toString(), String(i));
  assert.equal((await watcher.nextPublish()).payload.toString(), 'byte by byte');
  assert.ok(large.equals((await watcher.nextPublish()).payload as Buffer));
});

test('large messages to a WebSocket arrive whole', async (t) => {
  const { ws, tcp } = await startBroker(t);
  const client = await mqttClient(t, ws);
  const got: Buffer[] = [];
  client.on('message', (_topic, payload) => got.push(payload));
  await client.subscribeAsync('a');
  const publisher = await WireClient.connect(t, tcp.port);
  const sent = [10, 8_192, 8_193, 70_000, 3_000_000].map((size) => Buffer.alloc(size, size % 251));
  for (const payload of sent) publisher.publish({ topic: 'a', payload });
  await until(() => got.length === sent.length);
  for (const [i, payload] of sent.entries()) assert.ok(payload.equals(got[i]));
});

test('a frame larger than the largest packet is not waited for', async (t) => {
  const { ws, broker } = await startBroker(t, { limits: { packetBytes: 1024 } });
  const { socket } = await connected(t, ws);
  socket.send(Buffer.alloc(2 * 1024 * 1024));
  await once(socket, 'close');
  await until(() => broker.stats.connections === 0);
});

test('what is written in one turn leaves as one frame', async (t) => {
  const { ws, broker } = await startBroker(t);
  const { socket, frames } = await connected(t, ws);
  socket.send(SUBSCRIBE);
  await until(() => frames.length === 1);
  frames.length = 0;
  for (let i = 0; i < 50; i++) broker.publish({ topic: 'a', payload: `number ${i}` }, null);
  broker.publish({ topic: 'a', payload: Buffer.alloc(20_000, 'x') }, null);
  await until(() => frames.length > 0);
  assert.equal(frames.length, 1);
  assert.ok(frames[0].length > 20_000 + 50 * 10);
});

test('a WebSocket that waits for room in a ring is not read', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = noRoom;
  const { ws, broker } = await startBroker(t, { capture });
  const { socket } = await connected(t, ws);
  socket.send(publishOf('a', 'first'));
  await capture.waits(1);
  const { conn } = broker.clients.ws;
  const payload = Buffer.alloc(16 * 1024);
  for (let i = 0; i < 1000; i++) socket.send(publishOf('a', payload));
  await until(() => conn.readableLength >= conn.readableHighWaterMark);
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(conn.readableLength < 256 * 1024, `${conn.readableLength}`);
  assert.ok(socket.bufferedAmount > 0, 'the sender feels it');
  capture.makeRoom();
  await until(() => capture.taken.length === 1001);
});

test('a WebSocket that does not read costs its own QoS 0 messages only', async (t) => {
  const limits = { clientQueueBytes: 256 * 1024 };
  const { ws, tcp, broker } = await startBroker(t, { limits });
  const { socket, frames } = await connected(t, ws);
  socket.send(SUBSCRIBE);
  await until(() => frames.length === 1);
  tcpSide(socket).pause();
  const other = await WireClient.connect(t, tcp.port);
  await other.subscribe('a');
  const payload = Buffer.alloc(50_000);
  while (broker.stats.dropped < 20) {
    other.publish({ topic: 'a', payload });
    await other.nextPublish();
    assert.ok(broker.queued.bytes <= limits.clientQueueBytes + 2 * payload.length, `${broker.queued.bytes}`);
  }
  tcpSide(socket).resume();
  await until(() => broker.queued.bytes === 0);
});

test('what a client sent before it closed is handled, though it had to wait; there is no will after DISCONNECT', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = noRoom;
  const { ws, tcp, broker } = await startBroker(t, { capture });
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('#');
  const socket = await open(t, ws);
  const will = { topic: 'will', payload: 'gone' };
  socket.send(mqttPacket.generate({ cmd: 'connect', protocolVersion: 4, clientId: 'c', clean: true, will }));
  await once(socket, 'message');
  socket.send(publishOf('a', '1'));
  await capture.waits(1);
  socket.send(publishOf('a', '2'));
  socket.send(Buffer.concat([publishOf('a', '3'), mqttPacket.generate({ cmd: 'disconnect' })]));
  socket.close();
  await once(socket, 'close');
  capture.makeRoom();
  await until(() => broker.stats.connections === 1);
  assert.deepEqual(payloads(await watcher.sync()), ['1', '2', '3']);
});

test('a WebSocket that breaks is a connection that breaks', async (t) => {
  const { ws, tcp } = await startBroker(t);
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('#');
  for (const end of ['terminate', 'close'] as const) {
    const socket = await open(t, ws);
    const will = { topic: 'will', payload: end };
    socket.send(
      mqttPacket.generate({ cmd: 'connect', protocolVersion: 4, clientId: 'c', clean: true, will }),
    );
    await once(socket, 'message');
    socket[end]();
    assert.deepEqual(messages([await watcher.nextPublish()]), [`will ${end}`]);
  }
});

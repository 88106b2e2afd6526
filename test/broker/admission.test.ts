/** Who is let in, and for how long without CONNECT. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import mqttPacket from 'mqtt-packet';
import { createWebSocketStream, WebSocket } from 'ws';
import { closeBroker, startBroker, until } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

const CONNECT = mqttPacket.generate({ cmd: 'connect', protocolVersion: 4, clientId: 'c', clean: true });

interface Ending {
  readonly ended: Promise<unknown>;
}

/** A connection that says nothing, and whether it has ended. */
async function silent(
  t: TestContext,
  port: number,
  localAddress = '127.0.0.1',
): Promise<Ending & { readonly socket: Socket }> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.resume();
  const ended = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  return { socket, ended };
}

test('connections beyond the limit are refused, and one that goes makes room', async (t) => {
  const { tcp, broker, log } = await startBroker(t, { limits: { connections: 2 }, now: () => 0 });
  const first = await WireClient.connect(t, tcp.port);
  const second = await WireClient.connect(t, tcp.port);
  for (let i = 0; i < 2; i++) await (await silent(t, tcp.port)).ended;
  assert.equal(broker.stats.refusedConnections.full, 2);
  await first.break();
  await until(() => broker.stats.connections === 1);
  const fourth = await WireClient.connect(t, tcp.port);
  await fourth.subscribe('a');
  second.publish({ topic: 'a', payload: 'x', qos: 1 });
  await second.sync();
  assert.deepEqual(payloads(await fourth.sync()), ['x']);
  // Who floods the broker does not flood the log.
  const told = log.lines.filter(({ text }) => text.includes('there are too many'));
  assert.deepEqual(told, [
    { level: 'warn', what: { address: '127.0.0.1', refused: 1 }, text: told[0]!.text },
  ]);
});

test('those that have not said CONNECT count, those on all listeners together', async (t) => {
  const { tcp, ws, broker } = await startBroker(t, { limits: { connections: 2 } });
  await silent(t, tcp.port);
  await silent(t, ws.port);
  await (await silent(t, ws.port)).ended;
  await (await silent(t, tcp.port)).ended;
  assert.equal(broker.stats.refusedConnections.full, 2);
});

test('connections of one address beyond the limit are refused, those of others are not', async (t) => {
  const { tcp, broker, log } = await startBroker(t, { limits: { connectionsPerAddress: 2 } });
  const first = await WireClient.connect(t, tcp.port);
  await WireClient.connect(t, tcp.port);
  await (await silent(t, tcp.port)).ended;
  const other = await silent(t, tcp.port, '127.0.0.2');
  await first.break();
  await until(() => broker.stats.connections === 2);
  await WireClient.connect(t, tcp.port);
  await (await silent(t, tcp.port)).ended;
  assert.equal(other.socket.closed, false);
  assert.equal(broker.stats.refusedConnections.address, 2);
  assert.ok(
    log.lines.some(({ level, text }) => level === 'warn' && text.includes('too many from its address')),
  );
});

test('no more connections in a second than the limit, and again as many in the next', async (t) => {
  let now = 0;
  const { tcp, ws, broker, log } = await startBroker(t, {
    limits: { connectionsPerSecond: 3 },
    now: () => now,
  });
  for (let i = 0; i < 3; i++) await silent(t, i === 1 ? ws.port : tcp.port);
  await (await silent(t, tcp.port)).ended;
  now = 300;
  await (await silent(t, tcp.port)).ended;
  now = 334;
  await WireClient.connect(t, tcp.port);
  await (await silent(t, tcp.port)).ended;
  now = 100_000;
  for (let i = 0; i < 3; i++) await WireClient.connect(t, tcp.port);
  await (await silent(t, tcp.port)).ended;
  assert.equal(broker.stats.refusedConnections.rate, 4);
  assert.equal(log.lines.filter(({ text }) => text.includes('in a second')).length, 2);
});

/** All that can keep a connection without ever being connected. */
const IDLERS: readonly [
  what: string,
  on: 'tcp' | 'ws',
  open: (t: TestContext, port: number) => Promise<Ending>,
][] = [
  ['nothing', 'tcp', silent],
  ['half a CONNECT', 'tcp', (t, port) => saying(t, port, CONNECT.subarray(0, 9))],
  ['nothing on a WebSocket port', 'ws', silent],
  ['half a header', 'ws', (t, port) => saying(t, port, 'GET /mqtt HTTP/1.1\r\nHost: a\r\nUp')],
  ['a request, and another never', 'ws', (t, port) => saying(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
  ['nothing in a WebSocket', 'ws', (t, port) => inWebSocket(t, port, [])],
  ['half a CONNECT in a WebSocket', 'ws', (t, port) => inWebSocket(t, port, [CONNECT.subarray(0, 9)])],
  ['pings in a WebSocket', 'ws', (t, port) => inWebSocket(t, port, [], true)],
];

async function saying(t: TestContext, port: number, bytes: string | Uint8Array): Promise<Ending> {
  const { socket, ended } = await silent(t, port);
  await new Promise((resolve) => socket.write(bytes, resolve));
  return { ended };
}

async function inWebSocket(
  t: TestContext,
  port: number,
  frames: readonly Uint8Array[],
  ping = false,
): Promise<Ending> {
  const socket = await opened(t, port);
  for (const frame of frames) socket.send(frame);
  if (ping) {
    socket.ping();
    await once(socket, 'pong');
  }
  return { ended: new Promise((resolve) => socket.once('close', resolve)) };
}

async function opened(t: TestContext, port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, ['mqtt']);
  t.after(() => socket.terminate());
  socket.on('error', () => {});
  await once(socket, 'open');
  return socket;
}

test('whatever a connection does, without CONNECT it is ended after connectTimeout; others live on', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { tcp, ws, broker, audited } = await startBroker(t, { limits: { connectTimeout: 3000 } });
  const listeners = { tcp, ws };
  const clients = [await WireClient.connect(t, tcp.port), new WireClient(await webSocketOf(t, ws.port))];
  await clients[1]!.connect();
  for (const client of clients) await client.sync();
  let ended = 0;
  const ends = await Promise.all(
    IDLERS.map(async ([, on, open]) => {
      const connection = await open(t, listeners[on].port);
      return { all: connection.ended.then(() => ended++) };
    }),
  );
  t.mock.timers.tick(2999);
  for (const client of clients) await client.sync();
  assert.equal(ended, 0);
  t.mock.timers.tick(1);
  await Promise.all(ends.map(({ all }) => all));
  assert.equal(broker.stats.connectTimeouts, IDLERS.length);
  const late = audited.filter((one) => 'reason' in one && one.reason.includes('did not come in time'));
  assert.equal(late.length, IDLERS.length);
  for (const client of clients) await client.sync();
});

async function webSocketOf(t: TestContext, port: number): Promise<Duplex> {
  return createWebSocketStream(await opened(t, port));
}

test('a CONNECT larger than connectBytes ends the connection before it is there; the largest one is taken', async (t) => {
  const { tcp, broker } = await startBroker(t, { limits: { connectBytes: 1024 } });
  const padded = (bytes: number): Buffer => {
    const packet = (username: string) =>
      mqttPacket.generate({
        cmd: 'connect',
        clientId: 'c',
        clean: true,
        protocolVersion: 4,
        username,
        keepalive: 0,
      });
    return packet('x'.repeat(bytes - packet('x'.repeat(bytes / 2)).length + bytes / 2));
  };
  assert.equal(padded(1024).length, 1024);
  const fits = await WireClient.open(t, tcp.port, 4);
  fits.sendBytes(padded(1024));
  assert.equal((await fits.next()).cmd, 'connack');
  // Then packets may be larger.
  await fits.subscribe('a');
  fits.publish({ topic: 'a', payload: Buffer.alloc(100_000) });
  assert.equal(payloads(await fits.sync())[0]!.length, 100_000);
  const larger = await silent(t, tcp.port);
  larger.socket.write(padded(1025).subarray(0, 5));
  await larger.ended;
  assert.equal(broker.stats.oversizedConnects, 1);
});

test('a WebSocket frame larger than connectBytes ends the connection before it is there, later ones are taken', async (t) => {
  const { ws, broker } = await startBroker(t, { limits: { connectBytes: 1024 } });
  const client = new WireClient(await webSocketOf(t, ws.port));
  await client.connect();
  await client.subscribe('a');
  client.publish({ topic: 'a', payload: Buffer.alloc(1_000_000) });
  assert.equal(payloads(await client.sync())[0]!.length, 1_000_000);
  const large = await opened(t, ws.port);
  // One frame that announces 16 MiB and never ends.
  const { _socket: socket } = large as unknown as { _socket: Socket };
  const head = Buffer.alloc(14);
  head.set([0x82, 0xff, 0, 0, 0, 0, 1]);
  socket.write(head);
  const ended = new Promise((resolve) => large.once('close', resolve));
  const more = () => {
    if (!socket.destroyed) socket.write(Buffer.alloc(1000), more);
  };
  more();
  await ended;
  assert.equal(broker.stats.oversizedConnects, 1);
});

test('what a WebSocket client sends behind its CONNECT is no part of it', async (t) => {
  const { ws, tcp } = await startBroker(t, { limits: { connectBytes: 1024 } });
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('a');
  const socket = await opened(t, ws.port);
  const publish = mqttPacket.generate({
    cmd: 'publish',
    topic: 'a',
    payload: Buffer.alloc(50_000),
    qos: 0,
    retain: false,
    dup: false,
  });
  for (const part of [CONNECT.subarray(0, 5), CONNECT.subarray(5)]) socket.send(part);
  for (let i = 0; i < 10; i++) socket.send(publish);
  for (let i = 0; i < 10; i++) {
    const packet = await watcher.next();
    assert.equal(packet.cmd === 'publish' && packet.payload.length, 50_000);
  }
});

test('a broker that closes ends those that never connected, too', async (t) => {
  const { tcp, ws, broker } = await startBroker(t);
  const all = [await silent(t, tcp.port), await silent(t, ws.port), await inWebSocket(t, ws.port, [])];
  await closeBroker(broker);
  await Promise.all(all.map(({ ended }) => ended));
});

test('a failed accept is counted and told, and the listener goes on', async (t) => {
  const { tcp, broker, log } = await startBroker(t);
  for (let i = 0; i < 3; i++) broker.admission.failed(new Error('accept EMFILE'));
  assert.equal(broker.stats.acceptFailures, 3);
  assert.equal(log.lines.filter(({ level }) => level === 'warn').length, 1);
  await WireClient.connect(t, tcp.port);
});

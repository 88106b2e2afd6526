/** `broker.close()` ends everything. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { FakeCapture } from './fake-capture.js';
import { closeBroker, mqttClient, startBroker, until } from './fixture.js';
import { WireClient } from './wire-client.js';

async function silentSocket(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

test('connections in any state end: silent, half connected, connected, held, not reading', async (t) => {
  const capture = new FakeCapture();
  capture.hasRoom = ({ topic }) => topic !== 'full';
  const { broker, tcp, ws } = await startBroker(t, { capture });
  const silent = await silentSocket(t, tcp.port);
  const silentHttp = await silentSocket(t, ws.port);
  const half = await silentSocket(t, tcp.port);
  half.write(Buffer.of(0x10, 100, 0, 4));
  const webSocket = new WebSocket(ws.url, ['mqtt']);
  t.after(() => webSocket.terminate());
  await once(webSocket, 'open');
  const version3 = await WireClient.connect(t, tcp.port, { version: 4 });
  const version5 = await WireClient.connect(t, tcp.port);
  const overWebSocket = await mqttClient(t, ws);
  const held = await WireClient.connect(t, tcp.port);
  held.publish({ topic: 'full', qos: 1 });
  await capture.waits(1);
  const frozen = await WireClient.connect(t, tcp.port, { clientId: 'frozen' });
  await frozen.subscribe([{ topic: 'a', qos: 0 }]);
  frozen.conn.pause();
  const { conn } = broker.clients.frozen;
  while (!conn.writableNeedDrain) {
    version3.publish({ topic: 'a', payload: Buffer.alloc(100_000) });
    await version3.sync();
  }
  await until(() => broker.stats.connections === 8);
  const ends = [silent, half].map((socket) => once(socket, 'close'));
  const closed = once(webSocket, 'close');
  const offline = new Promise<void>((resolve) => overWebSocket.once('close', () => resolve()));
  const httpEnds = once(silentHttp, 'close');
  await Promise.all([tcp.close(), ws.close()]);
  await closeBroker(broker);
  await Promise.all([...ends, closed, offline, httpEnds]);
  await Promise.all([version3, version5, held].map(({ ended }) => ended));
  const told = version5.take().at(-1);
  assert.equal(told?.cmd === 'disconnect' && told.reasonCode, 0x8b);
  assert.equal(conn.destroyed, true);
  await until(() => broker.stats.connections === 0);
});

test('a broker that is closed takes no connection, and closes again without complaint', async (t) => {
  const { broker, tcp, log } = await startBroker(t);
  await closeBroker(broker);
  const late = await WireClient.open(t, tcp.port);
  await late.ended;
  await closeBroker(broker);
  assert.deepEqual(
    log.lines.filter(({ level }) => level === 'error' || level === 'warn'),
    [],
  );
});

test('wills of those that are disconnected are published', async (t) => {
  const capture = new FakeCapture();
  const { broker, tcp } = await startBroker(t, { capture });
  const will = { topic: 'will', payload: Buffer.from('gone') };
  for (const version of [4, 5] as const) await WireClient.connect(t, tcp.port, { version, will });
  await closeBroker(broker);
  assert.deepEqual(capture.payloads, ['gone', 'gone']);
});

test('then nothing keeps the process alive', async () => {
  const script = fileURLToPath(new URL('./closing-process.js', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code] = await once(child, 'exit');
  assert.equal(output, 'closed\n');
  assert.equal(code, 0);
});

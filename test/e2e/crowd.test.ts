/** Many connections at once, and fewer descriptors than connections. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import mqttPacket from 'mqtt-packet';
import { startBroker } from './process.js';

/** `ok`: CONNACK says welcome; else the broker closed the connection. */
async function greeted(
  t: TestContext,
  port: number,
  clientId: string,
): Promise<{ socket: Socket; ok: boolean }> {
  const socket = connect({ port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(mqttPacket.generate({ cmd: 'connect', clientId, clean: true, protocolVersion: 4 }));
  const ok = await new Promise<boolean>((resolve) => {
    socket.once('data', (bytes: Buffer) => resolve(bytes[0] === 0x20 && bytes[3] === 0));
    socket.once('close', () => resolve(false));
  });
  return { socket, ok };
}

const crowd = (t: TestContext, port: number, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => greeted(t, port, `client-${i}`)));

async function metric(http: string, name: string): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return Number(new RegExp(`^mqtt_stream_${name} (\\d+)$`, 'm').exec(text)![1]);
}

test('500 clients connect at once, go at once, and come again', async (t) => {
  const { tcp, http } = await startBroker(t, []);
  const port = Number(new URL(tcp).port);
  for (let round = 0; round < 2; round++) {
    const clients = await crowd(t, port, 500);
    assert.equal(clients.filter(({ ok }) => ok).length, 500);
    // With the transfer client; those of the round before are gone.
    while ((await metric(http, 'connections')) > 501);
    assert.equal(await metric(http, 'connections'), 501);
    for (const { socket } of clients) socket.destroy();
  }
});

test('with few file descriptors, connections are refused and counted, and the broker goes on', async (t) => {
  const { tcp, http, stop } = await startBroker(t, [], { descriptors: 400 });
  const port = Number(new URL(tcp).port);
  const clients = await crowd(t, port, 300);
  assert.equal(clients.filter(({ ok }) => ok).length, 200);
  assert.equal(await metric(http, 'connections_refused_full_total'), 100);
  for (const { socket } of clients) socket.destroy();
  while ((await metric(http, 'connections')) > 1);
  assert.equal((await greeted(t, port, 'after')).ok, true);
  assert.equal(await stop(), 0);
});

import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { type ListenerOptions, listen } from '../../src/broker/listeners.js';
import { MqttStreamError } from '../../src/errors.js';
import { mqttClient, startBroker, until } from './fixture.js';

for (const protocol of ['tcp', 'ws'] as const) {
  test(`a port that is taken: PORT_IN_USE, with the port; ${protocol}`, async (t) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    t.after(() => taken.close());
    const { port } = taken.address() as AddressInfo;
    const { broker } = await startBroker(t);
    await assert.rejects(listen(broker, { protocol, host: '127.0.0.1', port }), (error: unknown) => {
      assert.ok(error instanceof MqttStreamError);
      assert.equal(error.code, 'PORT_IN_USE');
      assert.match(error.message, new RegExp(`port ${port} on 127\\.0\\.0\\.1`));
      return true;
    });
  });

  test(`an address of somebody else: LISTEN_FAILED; ${protocol}`, async (t) => {
    const { broker } = await startBroker(t);
    const options: ListenerOptions = { protocol, host: '203.0.113.1', port: 1 };
    await assert.rejects(listen(broker, options), { code: 'LISTEN_FAILED' });
  });

  test(`close() takes no more connections, and does not wait for those there are; ${protocol}`, async (t) => {
    const started = await startBroker(t);
    const listener = started[protocol];
    const client = await mqttClient(t, listener);
    const silent = connect(listener.port, '127.0.0.1');
    t.after(() => silent.destroy());
    await new Promise((resolve) => silent.once('connect', resolve));
    silent.on('error', () => {});
    await listener.close();
    await assert.rejects(mqttClient(t, listener, { connectTimeout: 5000 }));
    const got: string[] = [];
    client.on('message', (_topic, payload) => got.push(payload.toString()));
    await client.subscribeAsync('a');
    await client.publishAsync('a', 'still here', { qos: 1 });
    await until(() => got.length === 1);
    assert.deepEqual(got, ['still here']);
    const again = await listen(started.broker, { protocol, host: '127.0.0.1', port: listener.port });
    await again.close();
  });
}

test('the URL is what a client connects to', async (t) => {
  const { broker, tcp, ws } = await startBroker(t);
  assert.equal(tcp.url, `mqtt://127.0.0.1:${tcp.port}`);
  assert.equal(ws.url, `ws://127.0.0.1:${ws.port}/mqtt`);
  const other = await listen(broker, { protocol: 'ws', host: 'localhost', port: 0, path: '/else' });
  t.after(() => other.close());
  assert.equal(other.url, `ws://localhost:${other.port}/else`);
  await mqttClient(t, other);
});

/** A process that starts a broker, connects to it in several ways, closes the broker and has nothing left to do. */
import { once } from 'node:events';
import { connect } from 'node:net';
import mqtt from 'mqtt';
import { WebSocket } from 'ws';
import { Broker } from '../../src/broker/broker.js';
import { listen } from '../../src/broker/listeners.js';
import { closeBroker, LIMITS, memoryStore, newClock, TestLog } from './fixture.js';

const store = await memoryStore();
const broker = new Broker({ id: 'test', store, keys: newClock(), limits: LIMITS, log: new TestLog() });
await broker.listen();
const tcp = await listen(broker, { protocol: 'tcp', host: '127.0.0.1', port: 0 });
const ws = await listen(broker, { protocol: 'ws', host: '127.0.0.1', port: 0 });
for (const { url } of [tcp, ws]) {
  const client = await mqtt.connectAsync(url, {
    reconnectPeriod: 0,
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 1000 },
  });
  await client.subscribeAsync('a', { qos: 1 });
}
for (const { port } of [tcp, ws]) {
  const silent = connect(port, '127.0.0.1').unref();
  silent.on('error', () => {});
  await once(silent, 'connect');
}
const idle = new WebSocket(ws.url, ['mqtt']);
idle.on('error', () => {});
await once(idle, 'open');
const deaf = connect(ws.port, '127.0.0.1').unref();
deaf.write(
  'GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
);
deaf.on('error', () => {});
await once(deaf, 'data');
await Promise.all([tcp.close(), ws.close(), closeBroker(broker)]);
process.stdout.write('closed\n');

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientStatus } from '../../../src/broker/sys/client-status.js';
import { startBroker, until } from '../fixture.js';
import { WireClient } from '../wire-client.js';

const sys = { version: '1', interval: 0, clientStatus: true };
const ROOT = '$SYS/brokers/client_status';

function told(): { lines: string[]; status: ClientStatus } {
  const lines: string[] = [];
  return {
    lines,
    status: new ClientStatus(
      (topic, json) => lines.push(`${topic} ${json}`),
      () => 1_795_000_000_000,
    ),
  };
}

const CLIENT = { clientId: 'c', user: null, address: '127.0.0.1', local: true };
const CONNECT = { protocolVersion: 4, keepalive: 60, clean: true } as const;

test("NanoMQ's keys, in its order", () => {
  const { lines, status } = told();
  status.online(CLIENT, CONNECT);
  status.offline(CLIENT, 0x8d);
  assert.deepEqual(lines, [
    `${ROOT}/c {"status":"online","username":null,"ts":1795000000000,"proto_name":"MQTT","keepalive":60,"return_code":"0","proto_ver":4,"client_id":"c","clean_start":1,"IPv4":"127.0.0.1"}`,
    `${ROOT}/c {"status":"offline","username":null,"ts":1795000000000,"reason_code":"8d","client_id":"c","IPv4":"127.0.0.1"}`,
  ]);
});

test('whatever a client calls itself: the topic is one, the JSON holds it as it is', () => {
  const { lines, status } = told();
  for (const clientId of ['a/b', '+/#', 'x\0y', '"},\n', '__proto__', 'é'.repeat(30_000)]) {
    const who = { ...CLIENT, clientId, user: clientId, address: '::ffff:10.0.0.1' };
    status.online(who, { ...CONNECT, protocolVersion: 3 });
    const [line] = lines.splice(0);
    const at = line.indexOf(' {"status"');
    const topic = line.slice(0, at);
    assert.ok(topic.startsWith(`${ROOT}/`) && !/[+#\0]/.test(topic) && Buffer.byteLength(topic) < 65_536);
    const { client_id, username, IPv4, proto_name } = JSON.parse(line.slice(at + 1));
    assert.deepEqual([client_id, username, IPv4, proto_name], [clientId, clientId, '10.0.0.1', 'MQIsdp']);
  }
});

test('who subscribes learns of those who come and go from then on, and why they go', async (t) => {
  const { tcp, broker } = await startBroker(t, { sys });
  await WireClient.connect(t, tcp.port, { clientId: 'before' });
  const watcher = await WireClient.connect(t, tcp.port, { clientId: 'watcher' });
  await watcher.subscribe([{ topic: `${ROOT}/#`, qos: 2 }]);
  const next = async () => {
    const packet = await watcher.nextPublish();
    assert.deepEqual([packet.retain, packet.qos], [false, 0]);
    const { ts, ...status } = JSON.parse(packet.payload.toString());
    assert.ok(Math.abs(ts - Date.now()) < 60_000);
    assert.equal(packet.topic, `${ROOT}/${status.client_id}`);
    return status;
  };
  const address = { IPv4: '127.0.0.1' };
  const online = { status: 'online', proto_name: 'MQTT', return_code: '0', ...address };
  const offline = { status: 'offline', username: null, ...address };

  const one = await WireClient.connect(t, tcp.port, { clientId: 'one', username: 'u', keepalive: 7 });
  assert.deepEqual(await next(), {
    ...online,
    username: 'u',
    keepalive: 7,
    proto_ver: 5,
    client_id: 'one',
    clean_start: 1,
  });
  one.send({ cmd: 'disconnect', reasonCode: 4 });
  assert.deepEqual(await next(), { ...offline, username: 'u', reason_code: '4', client_id: 'one' });

  const two = await WireClient.connect(t, tcp.port, { clientId: 'two', version: 4, clean: false });
  assert.deepEqual(await next(), {
    ...online,
    username: null,
    keepalive: 0,
    proto_ver: 4,
    client_id: 'two',
    clean_start: 0,
  });
  await two.break();
  assert.deepEqual(await next(), { ...offline, reason_code: '80', client_id: 'two' });

  const three = await WireClient.connect(t, tcp.port, { clientId: 'three' });
  assert.equal((await next()).client_id, 'three');
  // A PUBLISH with QoS 3.
  three.sendBytes(Buffer.of(0x36, 2, 0, 0));
  assert.deepEqual(await next(), { ...offline, reason_code: '81', client_id: 'three' });

  await WireClient.connect(t, tcp.port, { clientId: 'four' });
  assert.equal((await next()).client_id, 'four');
  await WireClient.connect(t, tcp.port, { clientId: 'four' });
  assert.deepEqual((await next()).status, 'online', 'taken over: it was never offline');
  await until(() => broker.stats.connections === 3);
  assert.deepEqual(await watcher.sync(), []);
});

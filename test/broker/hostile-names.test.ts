/** Names that are special in JavaScript are names like others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBroker, until } from './fixture.js';
import { messages, WireClient } from './wire-client.js';

const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'null',
  'undefined',
  '-1',
];

for (const version of [4, 5] as const) {
  test(`as client ids, topics and filters, MQTT ${version}`, async (t) => {
    const { tcp, broker } = await startBroker(t);
    const lasting = { clean: false, version, properties: { sessionExpiryInterval: 600 } };
    const clients = [];
    for (const clientId of NAMES) {
      const client = await WireClient.open(t, tcp.port, version);
      assert.equal((await client.connect({ ...lasting, clientId })).sessionPresent, false, clientId);
      await client.subscribe([{ topic: clientId }, { topic: `${clientId}/+` }]);
      clients.push(client);
    }
    assert.equal(broker.sessions.count, NAMES.length);
    const publisher = await WireClient.connect(t, tcp.port);
    for (const name of NAMES) publisher.publish({ topic: name, payload: 'x', qos: 1, retain: true });
    await publisher.sync();
    for (const [i, client] of clients.entries()) {
      assert.deepEqual(messages(await client.sync()), [`${NAMES[i]} x`]);
      await client.break();
    }
    await until(() => broker.stats.connections === 1);
    for (const name of NAMES) publisher.publish({ topic: `${name}/${name}`, payload: 'y', qos: 1 });
    await publisher.sync();
    for (const clientId of NAMES) {
      const client = await WireClient.open(t, tcp.port, version);
      assert.equal((await client.connect({ ...lasting, clientId })).sessionPresent, true, clientId);
      const got = messages(await client.sync());
      // 'x' was not acknowledged.
      assert.deepEqual(got, [`${clientId} x`, `${clientId}/${clientId} y`]);
      client.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [clientId, `${clientId}/+`] });
      assert.equal((await client.next()).cmd, 'unsuback');
    }
    assert.ok(broker.router.subscriptionCount === 0);
    assert.equal(broker.retained.count, NAMES.length);
    assert.equal(({} as Record<string, unknown>).x, undefined);
  });
}

test('as names of user properties', async (t) => {
  const { tcp } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe('a');
  const userProperties = Object.fromEntries(NAMES.map((name) => [name, `value of ${name}`]));
  client.publish({ topic: 'a', properties: { userProperties } });
  const got = await client.nextPublish();
  assert.deepEqual({ ...got.properties?.userProperties }, userProperties);
});

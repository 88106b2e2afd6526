/** Clients that connect again and again: nothing grows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStore, startBroker, until } from './fixture.js';
import { WireClient } from './wire-client.js';

const TIMES = 500;

test('connecting again and again under one identifier leaves one of everything', async (t) => {
  const store = await memoryStore();
  const { tcp, broker } = await startBroker(t, { store });
  const will = { topic: 'will', payload: Buffer.from('gone') };
  const clients: WireClient[] = [];
  for (let i = 0; i < TIMES; i++) {
    const version = i % 2 === 0 ? 5 : 4;
    const client = await WireClient.connect(t, tcp.port, {
      clientId: 'c',
      version,
      clean: i % 3 === 0,
      will,
    });
    await client.subscribe(`a/${i % 5}`);
    clients.push(client);
  }
  await Promise.all(clients.slice(0, -1).map(({ ended }) => ended));
  await until(() => broker.stats.connections === 1);
  assert.deepEqual(Object.keys(broker.clients), ['c']);
  assert.equal(broker.sessions.count, 1);
  assert.ok(broker.router.subscriptionCount <= 5);
  clients.at(-1)!.send({ cmd: 'disconnect' });
  await until(() => broker.stats.connections === 0);
  const last = await WireClient.connect(t, tcp.port, { clientId: 'c' });
  await last.break();
  await until(() => broker.sessions.count === 0);
  assert.equal(broker.router.subscriptionCount, 0);
  await store.written();
  assert.equal(await store.getWill({ id: 'c' }), undefined);
  assert.deepEqual(await store.countOffline(), { subsCount: 0, clientsCount: 0 });
});

test('CONNECT on a connection that has one already ends it, and leaves nothing', async (t) => {
  const { tcp, broker } = await startBroker(t);
  for (let i = 0; i < TIMES; i++) {
    const client = await WireClient.connect(t, tcp.port, { version: 4, clean: true });
    client.send(client.connectPacket({ clientId: `other${i}` }));
    await client.ended;
  }
  await until(() => broker.stats.connections === 0);
  await until(() => broker.sessions.count === 0);
  assert.deepEqual(Object.keys(broker.clients), []);
});

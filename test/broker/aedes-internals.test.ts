/** Fails when an upgrade of aedes or mqtt-packet moves something of what `src/broker/aedes-internals.ts` names. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Aedes } from 'aedes';
import {
  AedesBase,
  type AedesClient,
  type AedesInternals,
  isClientDelivery,
  type Packet,
  storeWithoutSessions,
  takeDispatcher,
} from '../../src/broker/aedes-internals.js';
import { until } from './fixture.js';
import { type Stock, type StockBroker, startStock } from './stock.js';
import { type ConnectOptions, WireClient } from './wire-client.js';

type Context = Parameters<typeof startStock>[0];

/** A stock aedes and both sides of one connection. */
async function stockClient(
  t: Context,
  options: ConnectOptions = {},
): Promise<{ client: AedesClient; wire: WireClient; stock: StockBroker }> {
  const stock = await startStock(t);
  const wire = await WireClient.connect(t, stock.port, options);
  const [client] = stock.clients;
  await until(() => client.connected);
  return { client, wire, stock };
}

async function manifest(name: string, from: string = import.meta.url): Promise<{ version: string }> {
  let folder = new URL('.', `file://${createRequire(from).resolve(name)}`);
  for (;;) {
    try {
      const json = JSON.parse(await readFile(new URL('package.json', folder), 'utf8'));
      if (json.name === name) return json;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    folder = new URL('..', folder);
  }
}

test('aedes and mqtt-packet have exactly the versions that were looked into', async () => {
  assert.equal((await manifest('aedes')).version, '2.0.0-beta.1');
  assert.equal((await manifest('aedes-persistence')).version, '11.0.0');
  assert.equal((await manifest('mqtt-packet')).version, '9.0.2');
});

test('there is one copy of mqtt-packet', () => {
  const ours = createRequire(import.meta.url);
  const theirs = createRequire(ours.resolve('aedes'));
  assert.equal(theirs.resolve('mqtt-packet'), ours.resolve('mqtt-packet'));
});

test('a client has what we read of it', async (t) => {
  const { client, stock } = await stockClient(t, {
    clientId: 'c',
    keepalive: 30,
    properties: { receiveMaximum: 7, maximumPacketSize: 1000, sessionExpiryInterval: 60 },
  });
  assert.equal(client.id, 'c');
  assert.equal(client.broker, stock.broker);
  assert.equal(client.conn.destroyed, false);
  assert.equal(client.version, 5);
  assert.equal(client.clean, false, 'clean: the session ends with the connection');
  assert.equal(client._cleanStart, true);
  assert.equal(client.closed, false);
  assert.equal(client.receiveMaximum, 7);
  assert.equal(client.maximumPacketSize, 1000);
  assert.equal(client._paused, false);
  assert.equal(typeof client._keepaliveTimer?.refresh, 'function');
  assert.equal((client as unknown as { _keepaliveInterval: number })._keepaliveInterval, 45_001);
  for (const method of ['close', 'disconnect', 'resume', 'rejectPacketTooLarge'] as const) {
    assert.equal(typeof client[method], 'function', method);
  }
});

test('clients that name no limits, and have no keep-alive', async (t) => {
  const { client } = await stockClient(t, { version: 4, clientId: 'c', clean: false });
  assert.equal(client.version, 4);
  assert.equal(client.receiveMaximum, 65_535);
  assert.equal(client.maximumPacketSize, undefined);
  assert.equal(client._keepaliveTimer, null);
  assert.equal(client._cleanStart, false);
  assert.equal(client.clean, false);
});

test('before CONNECT a client has no id and no version', async (t) => {
  const { port, clients } = await startStock(t);
  await WireClient.open(t, port);
  await until(() => clients.length > 0);
  assert.equal(clients[0].version, null);
  assert.equal(clients[0].id, null);
  assert.equal(clients[0].connected, false);
});

test('the parser has one listener of packets, which can be taken and fed', async (t) => {
  const { client, wire } = await stockClient(t);
  assert.equal(client._parser.client, client);
  assert.equal(client._parser.listenerCount('packet'), 1);
  const dispatch = takeDispatcher(client);
  assert.equal(client._parser.listenerCount('packet'), 0);
  const arrived: Packet[] = [];
  client._parser.on('packet', (packet: Packet) => {
    arrived.push(packet);
    dispatch(packet);
  });
  wire.send({ cmd: 'pingreq' }, { cmd: 'pingreq' });
  assert.equal((await wire.next()).cmd, 'pingresp');
  assert.equal((await wire.next()).cmd, 'pingresp');
  assert.deepEqual(
    arrived.map(({ cmd, length }) => [cmd, length]),
    [
      ['pingreq', 0],
      ['pingreq', 0],
    ],
  );
});

test('a packet that is not dispatched does not stop the reading, a paused client is not read', async (t) => {
  const { client, wire } = await stockClient(t);
  takeDispatcher(client);
  const topics: string[] = [];
  let pauseAt = '';
  client._parser.on('packet', (packet: Packet) => {
    if (packet.cmd !== 'publish') return;
    topics.push(packet.topic);
    if (packet.topic === pauseAt) client._paused = true;
  });
  wire.publish({ topic: 'a' });
  await until(() => topics.length === 1);
  wire.publish({ topic: 'b' });
  await until(() => topics.length === 2);
  pauseAt = 'c';
  // What is in one piece with the last packet comes nevertheless.
  wire.send(wire.publishPacket({ topic: 'c' }), wire.publishPacket({ topic: 'd' }));
  await until(() => topics.length === 4);
  wire.publish({ topic: 'e' });
  await until(() => client.conn.readableLength > 0);
  assert.deepEqual(topics, ['a', 'b', 'c', 'd']);
  client.resume();
  assert.deepEqual(topics, ['a', 'b', 'c', 'd', 'e']);
});

test('the brokers and clients that aedes knows are plain objects that we may replace', async (t) => {
  const { stock, client } = await stockClient(t, { clientId: 'c' });
  const internals: AedesInternals = stock.broker;
  assert.deepEqual(Object.keys(internals.clients), ['c']);
  assert.equal(internals.clients.c, client);
  assert.deepEqual(Object.keys(new AedesBase({}).brokers), []);
  assert.equal(new AedesBase({ maximumPacketSize: 77 }).maximumPacketSize, 77);
});

test('_wipeSession is called when a session ends', async (t) => {
  const calls: string[] = [];
  class Watched extends AedesBase {
    override _wipeSession(client: AedesClient): void {
      calls.push(`wipe ${client.id}`);
      super._wipeSession(client);
    }
  }
  const { port } = await startStock(t, new Watched({}));
  const wire = await WireClient.connect(t, port, { clientId: 'c' });
  assert.deepEqual(calls, []);
  wire.send({ cmd: 'disconnect', reasonCode: 0 });
  await until(() => calls.length > 0);
  assert.deepEqual(calls, ['wipe c']);
});

test('delivery functions of restored subscriptions are known by their names', async (t) => {
  const names: string[] = [];
  const told: string[] = [];
  class Watched extends AedesBase {
    override subscribe(topic: string, deliver: Parameters<Stock['subscribe']>[1], done?: () => void): void {
      names.push(`${topic} ${deliver.name} ${isClientDelivery(deliver)}`);
      super.subscribe(topic, deliver, done);
    }
  }
  const { port, broker } = await startStock(t, new Watched({}));
  broker.subscribe('own', function mine(_packet, done) {
    done();
  });
  assert.equal(names.at(-1), 'own mine false');
  const lasting = { clientId: 'c', clean: false, properties: { sessionExpiryInterval: 60 } };
  const first = await WireClient.connect(t, port, lasting);
  await first.subscribe([{ topic: 'a' }, { topic: '#' }]);
  await first.break();
  names.length = 0;
  const second = await WireClient.open(t, port);
  told.push(String((await second.connect(lasting)).sessionPresent));
  assert.deepEqual(names.sort(), ['# deliverSharp true', 'a handlePacketSubscription true']);
  assert.deepEqual(told, ['true']);
});

test('a store without sessions makes aedes tell which sessions are present, and subscribe to nothing', async (t) => {
  for (const version of [4, 5] as const) {
    const asked: string[] = [];
    const broker = new AedesBase({
      persistence: storeWithoutSessions((id) => {
        asked.push(id);
        return id === 'known';
      }),
    });
    const { port, clients } = await startStock(t, broker);
    for (const clientId of ['known', 'unknown']) {
      const wire = await WireClient.open(t, port, version);
      const { sessionPresent } = await wire.connect({ clientId, clean: false });
      assert.equal(sessionPresent, clientId === 'known', `MQTT ${version}`);
    }
    const fresh = await WireClient.open(t, port, version);
    assert.equal((await fresh.connect({ clientId: 'known', clean: true })).sessionPresent, false);
    assert.deepEqual(asked, ['known', 'unknown']);
    // At most the one that does nothing.
    await until(() => clients[0].closed || clients[0].connected);
    for (const { subscriptions } of clients) {
      assert.ok(Object.keys(subscriptions).every((filter) => filter.startsWith('$share/')));
    }
  }
});

test('the class that we extend is the one that aedes exports', () => {
  assert.equal(AedesBase as unknown, Aedes);
  const broker = new AedesBase({ mq: { on: () => {} } });
  assert.equal(broker.closed, true);
});

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
  takeReading,
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

test('mqtt-packet makes no buffers of all numbers, though packets are written', async (t) => {
  const { wire } = await stockClient(t);
  wire.send({ cmd: 'pingreq' });
  await wire.next();
  const numbers = createRequire(import.meta.url)('mqtt-packet/numbers') as { cache: object };
  assert.deepEqual(Object.keys(numbers.cache), []);
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
  assert.equal(typeof client._nextBatch, 'function');
  assert.equal(client._parsingBatch, 0);
  assert.equal(typeof client._keepaliveTimer?.refresh, 'function');
  assert.equal((client as unknown as { _keepaliveInterval: number })._keepaliveInterval, 45_001);
  for (const method of ['close', 'disconnect'] as const) {
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

test('reading can be taken away: we get the bytes, the parser makes packets of them at once, aedes handles those', async (t) => {
  const stock = await startStock(t);
  const chunks: Buffer[] = [];
  const arrived: Packet[] = [];
  const accept = stock.broker.handle;
  stock.broker.handle = (conn) => {
    const client = accept(conn);
    assert.equal(client._parser.client, client);
    assert.equal(client._parser.listenerCount('packet'), 1);
    assert.equal(conn.listenerCount('readable'), 1);
    const dispatch = takeReading(client, (chunk) => {
      chunks.push(chunk);
      const before = arrived.length;
      client._parser.parse(chunk);
      assert.ok(arrived.length > before);
    });
    assert.equal(client._parser.listenerCount('packet'), 0);
    assert.equal(conn.listenerCount('readable'), 0);
    client._parser.on('packet', (packet: Packet) => {
      arrived.push(packet);
      dispatch(packet);
    });
    return client;
  };
  const wire = await WireClient.open(t, stock.port);
  await wire.connect();
  // Several of them, with others between: aedes neither queues nor reads by itself.
  for (let i = 0; i < 3; i++) {
    wire.send({ cmd: 'pingreq' }, { cmd: 'pingreq' });
    assert.equal((await wire.next()).cmd, 'pingresp');
    assert.equal((await wire.next()).cmd, 'pingresp');
  }
  assert.equal(arrived.length, 7);
  assert.equal(arrived[0].cmd, 'connect');
  assert.ok(chunks.length >= 4);
});

test('what the parser cannot read it emits as an error, at once', async (t) => {
  const { client } = await stockClient(t);
  let told = false;
  client._parser.on('error', () => {
    told = true;
  });
  client._parser.parse(Buffer.of(0xf1, 0));
  assert.ok(told);
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

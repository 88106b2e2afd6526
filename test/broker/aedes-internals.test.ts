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
  introduce,
  letIn,
  takeReading,
} from '../../src/broker/aedes-internals.js';
import { until } from './fixture.js';
import { type StockBroker, startStock } from './stock.js';
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

test('what we tell aedes of a client is what its own handling of CONNECT sets', async (t) => {
  for (const version of [4, 5] as const) {
    const { client } = await stockClient(t, {
      version,
      clientId: 'c',
      properties: { receiveMaximum: 7, maximumPacketSize: 1000 },
    });
    const stock = await startStock(t);
    await WireClient.open(t, stock.port);
    await until(() => stock.clients.length > 0);
    const [told] = stock.clients;
    const { receiveMaximum, maximumPacketSize } = client;
    introduce(told, { id: 'c', version, clean: true, receiveMaximum, maximumPacketSize });
    letIn(told);
    const names = ['id', 'version', '_wireVersion', 'clean', 'receiveMaximum', 'maximumPacketSize'];
    for (const name of [...names, 'connected', 'connackSent', '_authorized', '_connectTimer']) {
      const of = (one: AedesClient) => (one as unknown as Record<string, unknown>)[name];
      assert.deepEqual(of(told), of(client), name);
    }
    assert.equal(version === 5 ? receiveMaximum : 7, 7);
  }
});

test('a client that was let in is told why it is ended, and unregistered once', async (t) => {
  const calls: string[] = [];
  class Watched extends AedesBase {
    override unregisterClient(client: AedesClient): void {
      calls.push(`unregister ${client.id}`);
      super.unregisterClient(client);
    }
    override scheduleSessionExpiry(client: AedesClient): void {
      calls.push(`expiry ${client.id}`);
    }
  }
  const { port, broker, clients } = await startStock(t, new Watched({}));
  const wire = await WireClient.open(t, port);
  await until(() => clients.length > 0);
  takeReading(clients[0], () => {});
  introduce(clients[0], {
    id: 'c',
    version: 5,
    clean: true,
    receiveMaximum: 1,
    maximumPacketSize: undefined,
  });
  letIn(clients[0]);
  broker._finishRegisterClient(clients[0]);
  assert.equal(broker.clients.c, clients[0]);
  clients[0].disconnect({ reasonCode: 0x8e });
  const told = await wire.next();
  assert.equal(told.cmd === 'disconnect' && told.reasonCode, 0x8e);
  await wire.ended;
  assert.deepEqual(calls, ['unregister c', 'expiry c']);
  assert.equal(broker.clients.c, undefined);
});

test('mqtt-packet corks the stream once a packet', async (t) => {
  const { client, wire } = await stockClient(t);
  let corks = 0;
  const { cork } = client.conn;
  client.conn.cork = () => {
    corks++;
    cork.call(client.conn);
  };
  for (let packets = 1; packets < 4; packets++) {
    wire.send({ cmd: 'pingreq' });
    await wire.next();
    assert.equal(corks, packets);
  }
  assert.equal(client.disconnectReasonCode, null);
  client.disconnect({ reasonCode: 0x97 });
  assert.equal((await wire.next()).cmd, 'disconnect');
  assert.equal(corks, 4);
  assert.equal(client.disconnectReasonCode, 0x97);
});

test('before CONNECT a client has no id and no version', async (t) => {
  const { port, clients } = await startStock(t);
  await WireClient.open(t, port);
  await until(() => clients.length > 0);
  assert.equal(clients[0].version, null);
  assert.equal(clients[0].id, null);
  assert.equal(clients[0].connected, false);
});

test('reading can be taken away: we get the bytes, and aedes none of them', async (t) => {
  const stock = await startStock(t);
  const chunks: Buffer[] = [];
  const accept = stock.broker.handle;
  stock.broker.handle = (conn) => {
    const client = accept(conn);
    assert.equal(client._parser.listenerCount('packet'), 1);
    assert.equal(conn.listenerCount('readable'), 1);
    takeReading(client, (chunk) => chunks.push(chunk));
    assert.equal(client._parser.listenerCount('packet'), 0);
    assert.equal(conn.listenerCount('readable'), 0);
    return client;
  };
  const wire = await WireClient.open(t, stock.port);
  const connect = wire.connectPacket({ clientId: 'c' });
  wire.send(connect);
  await until(() => chunks.length > 0);
  assert.equal(chunks[0][0], 0x10);
  assert.equal(stock.clients[0].connected, false);
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

test('the class that we extend is the one that aedes exports', () => {
  assert.equal(AedesBase as unknown, Aedes);
  const broker = new AedesBase({ mq: { on: () => {} } });
  assert.equal(broker.closed, true);
});

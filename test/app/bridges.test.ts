import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HOPS } from '../../src/bridge/hops.js';
import type { ConfigInput } from '../../src/config/schema.js';
import { ScriptedRemote } from '../bridge/scripted-remote.js';
import {
  configOf,
  connected,
  numbered,
  publishMany,
  received,
  replayed,
  started,
  streamInput,
  temporaryFolder,
} from './app-fixture.js';

const RECONNECT = { min: 1, max: 10 };

function withBridge(dataDir: string, remote: ScriptedRemote, more: object = {}): ConfigInput {
  const bridge = {
    name: 'cloud',
    url: remote.url,
    reconnect: RECONNECT,
    out: [{ filter: 'vehicle/#' }],
    ...more,
  };
  return configOf(dataDir, { bridges: [bridge] });
}

const payloadsOf = (remote: ScriptedRemote) => remote.all('publish').map(({ payload }) => payload.toString());
const positionFile = (dataDir: string) => join(dataDir, 'bridges', 'cloud.position.json');

async function idOf(dataDir: string): Promise<string> {
  return JSON.parse(await readFile(join(dataDir, 'bridges', 'id.json'), 'utf8')).id;
}

/** A data folder whose stream holds `a0`, `a1`, ... in a file. */
async function recorded(t: TestContext, count: number): Promise<string> {
  const dataDir = await temporaryFolder(t);
  const { app } = await started(t, configOf(dataDir));
  await publishMany(app, 'a', count);
  await app.close();
  return dataDir;
}

test('without bridges nothing is written', async (t) => {
  const dataDir = await recorded(t, 1);
  await assert.rejects(stat(join(dataDir, 'bridges')));
});

test('a new bridge begins with what comes from now on, whenever it connects', async (t) => {
  const dataDir = await recorded(t, 3);
  const remote = await ScriptedRemote.start(t);
  remote.script = { connack: { reasonCode: 0x88 } };
  const config = withBridge(dataDir, remote, { stream: 'vehicle' });
  const { app, log } = await started(t, config);
  await publishMany(app, 'b', 3);
  await log.seen(/cannot connect/);
  await app.close();
  remote.script = {};
  const { app: next } = await started(t, config);
  await publishMany(next, 'c', 2);
  await remote.got('publish', 5);
  await next.close();
  assert.deepEqual(payloadsOf(remote), [...numbered('b', 3), ...numbered('c', 2)]);
  assert.equal((await stat(positionFile(dataDir))).mode & 0o777, 0o600);

  const { app: last } = await started(t, config);
  await publishMany(last, 'd', 1);
  await remote.got('publish', 6);
  assert.deepEqual(payloadsOf(remote).slice(5), ['d0'], 'nothing again after a stop in order');
});

test('with a position that is not readable everything goes out, and with another stream what comes', async (t) => {
  const dataDir = await recorded(t, 3);
  const remote = await ScriptedRemote.start(t);
  const config = withBridge(dataDir, remote, { stream: 'vehicle' });
  const { app } = await started(t, config);
  await app.close();
  await writeFile(positionFile(dataDir), '{"stream":');
  const { app: next, log } = await started(t, config);
  await remote.got('publish', 3);
  assert.equal(log.matching(/position is not readable/).length, 1);
  await next.close();
  assert.deepEqual(payloadsOf(remote), numbered('a', 3));

  const streams = [streamInput(), streamInput({ name: 'other' })];
  const { app: other } = await started(t, { ...withBridge(dataDir, remote, { stream: 'other' }), streams });
  await publishMany(other, 'b', 1);
  await remote.got('publish', 4);
  assert.deepEqual(payloadsOf(remote).slice(3), ['b0']);
});

test('a position that is later than the clock does not keep messages back', async (t) => {
  const dataDir = await temporaryFolder(t);
  const remote = await ScriptedRemote.start(t);
  const config = withBridge(dataDir, remote, { stream: 'vehicle' });
  const { app } = await started(t, config);
  await app.close();
  await writeFile(positionFile(dataDir), '{"stream":"vehicle","key":9000000000000000}');
  const { app: next, log } = await started(t, config);
  await publishMany(next, 'a', 1);
  await remote.got('publish');
  assert.equal(log.matching(/later than any message/).length, 1);
});

test('what retention took away before it was sent is told, also at the start', async (t) => {
  const dataDir = await recorded(t, 2);
  const remote = await ScriptedRemote.start(t);
  remote.script = { connack: { reasonCode: 0x88 } };
  const config = withBridge(dataDir, remote, { stream: 'vehicle' });
  const { app } = await started(t, config);
  await publishMany(app, 'b', 3);
  await app.request('flush', { id: 'f', stream: 'vehicle' });
  await publishMany(app, 'c', 2);
  await app.close();
  remote.script = {};
  const retention = { maxFiles: 1 };
  const streams = [streamInput({ retention })];
  const { app: next, log } = await started(t, { ...config, streams });
  await log.seen(/messages are missing/);
  await remote.got('publish', 2);
  assert.deepEqual(payloadsOf(remote), numbered('c', 2));
  const [line] = log.matching(/messages are missing/);
  assert.deepEqual(
    [(line as { reason?: string }).reason, (line as { messages?: number }).messages],
    ['retention', 3],
  );
  await next.close();
});

test('several filters that match send a message once, and own traffic stays', async (t) => {
  const dataDir = await temporaryFolder(t);
  const remote = await ScriptedRemote.start(t);
  const out = [{ filter: 'vehicle/n' }, { filter: 'vehicle/#', add: 'x/' }, { filter: '#', add: 'y/' }];
  const { app, log } = await started(t, withBridge(dataDir, remote, { out }));
  await log.seen(/is connected/);
  await publishMany(app, 'a', 2);
  await replayed(app);
  await app.publish({ topic: 'vehicle/end', payload: 'end', qos: 1 });
  await app.publish({ topic: 'end', payload: 'end', qos: 1 });
  const sent = await remote.got('publish', 4);
  assert.deepEqual(
    sent.map(({ topic }) => topic),
    ['vehicle/n', 'vehicle/n', 'x/vehicle/end', 'y/end'],
  );
});

test('what comes in is captured as the bridge’s, with a key', async (t) => {
  const dataDir = await temporaryFolder(t);
  const remote = await ScriptedRemote.start(t);
  const { app, log } = await started(
    t,
    withBridge(dataDir, remote, { in: [{ filter: 'command/#', add: 'vehicle/' }], stream: 'vehicle' }),
  );
  await log.seen(/is connected/);
  const common = { cmd: 'publish', topic: 'command/x', qos: 1, retain: false, dup: false };
  remote.send({ ...common, payload: 'go', messageId: 7 });
  await remote.got('puback');
  assert.deepEqual((await replayed(app)).payloads, ['go']);
  // It does not go back: what comes next is the next one.
  await publishMany(app, 'a', 1);
  await remote.got('publish');
  assert.deepEqual(payloadsOf(remote), ['a0']);
});

test('what went out and comes back by another client is acknowledged, counted and goes no further', async (t) => {
  const dataDir = await temporaryFolder(t);
  const remote = await ScriptedRemote.start(t);
  const { app, url } = await started(t, withBridge(dataDir, remote));
  const client = await connected(t, url);
  await client.subscribeAsync('vehicle/#');
  const userProperties = { [HOPS]: ['else', await idOf(dataDir)] };
  for (const qos of [0, 1, 2] as const) {
    await client.publishAsync('vehicle/x', `back ${qos}`, { qos, properties: { userProperties } });
  }
  const next = received(client, 'vehicle/', 1);
  await client.publishAsync('vehicle/x', 'new', {
    qos: 1,
    properties: { userProperties: { [HOPS]: 'else' } },
  });
  assert.equal((await next)[0]!.payload.toString(), 'new');
  assert.equal(app.broker.stats.returned, 3);
  assert.deepEqual((await replayed(app)).payloads, ['new']);
});

test('properties come out of the stream as they went in, and loops end there, too', async (t) => {
  const dataDir = await temporaryFolder(t);
  const remote = await ScriptedRemote.start(t);
  const { app, url } = await started(t, withBridge(dataDir, remote, { stream: 'vehicle' }));
  const id = await idOf(dataDir);
  const client = await connected(t, url);
  const correlationData = Buffer.from([0, 255, 1]);
  const properties = {
    contentType: 'c',
    responseTopic: 'r',
    correlationData,
    messageExpiryInterval: 1000,
    userProperties: { k: ['v', 'w'], [HOPS]: 'else' },
  };
  await client.publishAsync('vehicle/x', 'five', { qos: 2, retain: true, properties });
  await client.publishAsync('vehicle/x', 'gone', { qos: 1, properties: { messageExpiryInterval: 0 } });
  // As a message that was captured before it could be recognised.
  app.broker.publish(
    { topic: 'vehicle/x', payload: 'back', properties: { userProperties: { [HOPS]: id } } },
    null,
  );
  await client.publishAsync('vehicle/x', 'none', { qos: 0 });
  const [five, none] = await remote.got('publish', 2);
  assert.deepEqual([five!.payload.toString(), five!.qos, five!.retain], ['five', 1, true]);
  assert.deepEqual(
    { ...five!.properties, userProperties: { ...five!.properties?.userProperties } },
    {
      ...properties,
      messageExpiryInterval: five!.properties?.messageExpiryInterval,
      userProperties: { k: ['v', 'w'], [HOPS]: ['else', id] },
    },
  );
  const left = five!.properties!.messageExpiryInterval!;
  assert.ok(left > 900 && left <= 1000, `${left}`);
  assert.deepEqual([none!.payload.toString(), none!.qos, none!.retain], ['none', 1, false]);
});

test('state and metrics', async (t) => {
  const dataDir = await temporaryFolder(t);
  const remote = await ScriptedRemote.start(t);
  const { app, log, url } = await started(t, { ...withBridge(dataDir, remote), http: { port: 0 } });
  await log.seen(/is connected/);
  await app.publish({ topic: 'vehicle/n', payload: 'four', qos: 1 });
  await remote.got('publish');
  const client = await connected(t, url);
  const state = received(client, '$SYS/broker/connection/cloud/state', 1);
  await client.subscribeAsync('$SYS/broker/connection/+/state');
  const [packet] = await state;
  assert.deepEqual([packet!.payload.toString(), packet!.retain], ['1', true]);
  const scrape = async () => (await fetch(`${app.http!.url}/metrics`)).text();
  let text = await scrape();
  while (!text.includes('bridge_sent_messages_total{bridge="cloud"} 1')) text = await scrape();
  assert.match(text, /mqtt_stream_bridge_connected\{bridge="cloud"\} 1/);
  assert.match(text, /mqtt_stream_bridge_sent_bytes_total\{bridge="cloud"\} 4/);
  assert.match(text, /mqtt_stream_bridge_lag_seconds\{bridge="cloud"\} 0/);
  const gone = received(client, '$SYS/broker/connection/cloud/state', 1);
  remote.drop();
  assert.equal((await gone)[0]!.payload.toString(), '0');
});

/** The same clients do the same on mosquitto and here: `$SYS/broker/...` tells the same. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { connectAsync } from 'mqtt';
import mqttPacket, { type IPublishPacket } from 'mqtt-packet';
import { startBroker } from '../fixture.js';
import { WireClient } from '../wire-client.js';
import { NO_MOSQUITTO, startMosquitto } from './mosquitto.js';

const run = promisify(execFile);
type Version = 4 | 5;
type Values = Map<string, number>;

const COMPARED = [
  'clients/total',
  'clients/connected',
  'clients/active',
  'clients/disconnected',
  'clients/inactive',
  'messages/received',
  'messages/sent',
  'messages/stored',
  'store/messages/count',
  'subscriptions/count',
  'shared_subscriptions/count',
  'retained messages/count',
  'publish/messages/dropped',
  'publish/messages/received',
  'publish/messages/sent',
  'publish/bytes/received',
  'publish/bytes/sent',
  'bytes/received',
  'bytes/sent',
];

interface Observed {
  /** What `$SYS` tells at an update. */
  readonly values: Values;
  /** The messages of `$SYS` that the observer got, and are counted in it; those that it got later. */
  readonly counted: readonly IPublishPacket[];
  readonly later: readonly IPublishPacket[];
}

async function observe(t: TestContext, port: number, ours: boolean): Promise<Observed> {
  const observer = await WireClient.connect(t, port, { version: 4, clientId: 'observer' });
  await observer.subscribe([{ topic: '$SYS/broker/uptime', qos: 0 }]);
  const kept = await observer.nextPublish();
  const updates = [await observer.nextPublish()];
  assert.deepEqual([kept.retain, updates[0].retain], [true, false]);
  const subscriptions = [{ topic: '$SYS/broker/#', qos: 0 as const }];
  observer.send({ cmd: 'subscribe', messageId: 9, subscriptions });
  let packet = await observer.next();
  for (; packet.cmd === 'publish'; packet = await observer.next()) updates.push(packet);
  const values: Values = new Map();
  const later = (await observer.sync()) as IPublishPacket[];
  for (const { retain, topic, payload } of later) {
    if (retain) values.set(topic.slice('$SYS/broker/'.length), Number(payload));
  }
  observer.send({ cmd: 'disconnect' });
  await observer.ended;
  // mosquitto counts after it has told its uptime.
  if (ours) later.push(updates.pop()!);
  return { values, counted: [kept, ...updates], later };
}

function discount(values: Values, sent: readonly IPublishPacket[]): void {
  const less = (name: string, by: number) => values.set(name, values.get(name)! - by);
  for (const packet of sent) {
    less('messages/sent', 1);
    less('bytes/sent', mqttPacket.generate(packet, { protocolVersion: 4 }).length);
    less('publish/messages/sent', 1);
    less('publish/bytes/sent', packet.payload.length);
  }
}

async function traffic(t: TestContext, port: number, version: Version): Promise<void> {
  const connect = (clientId: string, clean = true) =>
    WireClient.connect(t, port, {
      version,
      clientId,
      clean,
      ...(version === 5 && !clean ? { properties: { sessionExpiryInterval: 1000 } } : {}),
    });
  const subscriber = await connect('subscriber');
  await subscriber.subscribe([
    { topic: 'a/#', qos: 0 },
    { topic: 'b/+', qos: 0 },
  ]);
  const lasting = await connect('lasting', false);
  await lasting.subscribe([{ topic: 'kept/#', qos: 1 }]);
  lasting.send({ cmd: 'disconnect' });
  await lasting.ended;

  const publisher = await connect('publisher');
  for (let i = 0; i < 50; i++) publisher.publish({ topic: 'a/zero', payload: 'x'.repeat(i) });
  for (let i = 0; i < 20; i++) publisher.publish({ topic: 'b/one', payload: 'é'.repeat(i), qos: 1 });
  for (let i = 0; i < 5; i++) publisher.publish({ topic: 'kept/for/later', payload: `${i}`, qos: 1 });
  publisher.publish({ topic: 'nobody', payload: Buffer.alloc(20_000), qos: 1 });
  await publisher.sync();
  for (let i = 0; i < 10; i++) {
    const packet = publisher.publishPacket({ topic: 'a/two', payload: 'two', qos: 2 });
    publisher.send(packet);
    assert.equal((await publisher.next()).cmd, 'pubrec');
    publisher.send({ cmd: 'pubrel', messageId: packet.messageId! });
    assert.equal((await publisher.next()).cmd, 'pubcomp');
  }
  for (const topic of ['r/1', 'r/2', 'r/3'])
    publisher.publish({ topic, payload: 'kept', retain: true, qos: 1 });
  publisher.publish({ topic: 'r/2', payload: '', retain: true, qos: 1 });
  await publisher.sync();
  assert.equal((await subscriber.sync()).length, 80);
  await subscriber.subscribe([{ topic: 'r/+', qos: 0 }]);
  assert.equal((await subscriber.sync()).length, 2);
  subscriber.send({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['b/+'] });
  assert.equal((await subscriber.next()).cmd, 'unsuback');

  const real = await connectAsync(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: version,
    clientId: 'real',
    keepalive: 0,
  });
  await real.subscribeAsync('real/#', { qos: 2 });
  for (const qos of [0, 1, 2] as const) {
    const got = new Promise((resolve) => real.once('message', resolve));
    await real.publishAsync('real/1', 'hello', { qos });
    await got;
  }
  await real.endAsync();
  const common = [
    '-h',
    '127.0.0.1',
    '-p',
    `${port}`,
    '-i',
    'pub',
    '-V',
    version === 5 ? 'mqttv5' : 'mqttv311',
  ];
  await run('mosquitto_pub', [...common, '-t', 'a/pub', '-m', 'from mosquitto_pub']);
  await subscriber.nextPublish();
}

async function change(t: TestContext, port: number, version: Version, ours: boolean): Promise<Values> {
  const before = await observe(t, port, ours);
  await traffic(t, port, version);
  const { values, counted } = await observe(t, port, ours);
  discount(values, [...before.later, ...counted]);
  return new Map(COMPARED.map((name) => [name, values.get(name)! - before.values.get(name)!]));
}

for (const version of [4, 5] as const) {
  test(`what the same clients do counts as it does for mosquitto, MQTT ${version}`, {
    skip: NO_MOSQUITTO,
  }, async (t) => {
    const sys = { version: '1', interval: 200, clientStatus: true };
    const { tcp } = await startBroker(t, { sys });
    const [ours, theirs] = await Promise.all([
      change(t, tcp.port, version, true),
      change(t, await startMosquitto(t), version, false),
    ]);
    // mosquitto leaves out what is retained or has QoS 2.
    theirs.set('publish/messages/received', theirs.get('publish/messages/received')! + 15);
    // The properties of CONNACK are each broker's own.
    if (version === 5) for (const values of [ours, theirs]) values.delete('bytes/sent');
    assert.ok(ours.get('messages/received')! > 100);
    assert.deepEqual(ours, theirs);
  });
}

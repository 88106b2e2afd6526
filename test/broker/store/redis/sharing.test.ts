/** What instances that share a Redis know of each other's sessions. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { IPublishPacket } from 'mqtt-packet';
import { RedisServer } from '../../../e2e/redis-server.js';
import { FakeCapture } from '../../fake-capture.js';
import { until } from '../../fixture.js';
import { lasting, leave, takeAll } from '../../lasting.js';
import { payloads, WireClient } from '../../wire-client.js';
import { eventually, Look, startShared } from './fixture.js';

async function startTwo(t: TestContext, limits = {}) {
  const redis = await RedisServer.start(t);
  const a = await startShared(t, redis.url, 'a', limits);
  const b = await startShared(t, redis.url, 'b', limits);
  return { redis, a, b, look: new Look(t, redis.url) };
}

/** Publishes with QoS 1 and waits for the acknowledgement. */
async function publish(client: WireClient, topic: string, payload: string): Promise<void> {
  client.publish({ topic, payload, qos: 1 });
  for (;;) if ((await client.next()).cmd === 'puback') return;
}

test('who unsubscribes here gets nothing more that is published there', async (t) => {
  const { a, b, look } = await startTwo(t);
  const client = await WireClient.connect(t, a.port, lasting(5));
  await client.subscribe('t');
  await until(() => b.broker.router.subscriptionCount === 1);
  client.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: ['t'] });
  assert.equal((await client.next()).cmd, 'unsuback');
  await until(() => b.broker.router.subscriptionCount === 0);
  const publisher = await WireClient.connect(t, b.port);
  await publish(publisher, 't', 'x');
  assert.deepEqual(await client.sync(), []);
  assert.equal(await look.queued('c'), 0);
});

test('a clean start at another instance ends the session everywhere, and nothing of it is left', async (t) => {
  const { a, b, look } = await startTwo(t);
  const first = await WireClient.connect(t, a.port, lasting(5));
  await first.subscribe('t');
  await leave(first, a.broker);
  const publisher = await WireClient.connect(t, b.port, { clientId: 'p' });
  await publish(publisher, 't', 'x');
  assert.equal(await look.queued('c'), 1);
  const second = await WireClient.open(t, b.port);
  const options = { clientId: 'c', clean: true };
  assert.equal((await second.connect(second.connectPacket(options))).sessionPresent, false);
  await until(() => a.broker.sessions.get('c') === undefined);
  assert.equal(a.broker.router.subscriptionCount, 0);
  await second.break();
  await publisher.break();
  const left = ['alive:a', 'alive:b', 'batch:a', 'batch:b', 'instances', 'places', 'turns'];
  await eventually(async () => (await look.names()).join() === left.join());
});

test('a session expires where its client was last, and everybody forgets it', async (t) => {
  const { a, b, look } = await startTwo(t);
  const options = { clientId: 'c', clean: false, properties: { sessionExpiryInterval: 1 } };
  const first = await WireClient.connect(t, a.port, options);
  await first.subscribe('t');
  const second = await WireClient.connect(t, b.port, options);
  await second.break();
  await until(() => a.broker.sessions.count === 0 && b.broker.sessions.count === 0);
  await eventually(async () => (await look.field('c', 'gen')) === null);
  assert.deepEqual([...a.faults, ...b.faults], []);
});

test('a session of an instance that is gone expires, too', async (t) => {
  const { redis, a, look } = await startTwo(t);
  const c = await startShared(t, redis.url, 'c');
  const client = await WireClient.connect(t, c.port, {
    clientId: 'c',
    clean: false,
    properties: { sessionExpiryInterval: 1 },
  });
  await client.subscribe('t');
  await until(() => a.broker.router.subscriptionCount === 1);
  await c.store.destroy();
  await until(() => a.broker.sessions.count === 0);
  await eventually(async () => (await look.field('c', 'gen')) === null);
});

test('what waits for a client that is away is bounded, wherever it is published', async (t) => {
  const { a, b, look } = await startTwo(t, { clientQueueMessages: 3 });
  const client = await WireClient.connect(t, a.port, lasting(5));
  await client.subscribe('t');
  await leave(client, a.broker);
  const [atA, atB] = [await WireClient.connect(t, a.port), await WireClient.connect(t, b.port)];
  for (let i = 0; i < 4; i++) {
    await publish(atA, 't', `a${i}`);
    await publish(atB, 't', `b${i}`);
  }
  assert.equal(await look.queued('c'), 3);
  assert.equal(a.broker.stats.dropped + b.broker.stats.dropped, 5);
  const back = await WireClient.connect(t, b.port, lasting(5));
  assert.deepEqual(payloads(await takeAll(back, 3)), ['a0', 'b0', 'a1']);
  await back.sync();
  await eventually(async () => (await look.field('c', 'bytes')) === '0');
  assert.equal(await look.field('c', 'messages'), '0');
});

test('a QoS 2 exchange goes on at another instance, in both directions', async (t) => {
  const { a, b, look } = await startTwo(t);
  const first = await WireClient.connect(t, a.port, lasting(5));
  await first.subscribe('t');
  const publisher = await WireClient.connect(t, b.port);
  await publish(publisher, 't', 'one');
  publisher.publish({ topic: 't', payload: 'two', qos: 2, messageId: 7 });
  publisher.publish({ topic: 't', payload: 'three', qos: 2, messageId: 8 });
  const got: IPublishPacket[] = [];
  while (got.length < 3) got.push(await first.nextPublish());
  // The first is acknowledged, the second received, of the third the broker knows nothing.
  first.send({ cmd: 'puback', messageId: got[0]!.messageId! });
  first.send({ cmd: 'pubrec', messageId: got[1]!.messageId! });
  assert.equal((await first.next()).cmd, 'pubrel');
  first.publish({ topic: 'u', payload: 'mine', qos: 2, messageId: 5 });
  assert.equal((await first.next()).cmd, 'pubrec');
  const second = await WireClient.connect(t, b.port, lasting(5));
  const [pubrel, third] = [await second.next(), await second.nextPublish()];
  assert.deepEqual([pubrel.cmd, pubrel.messageId], ['pubrel', got[1]!.messageId]);
  assert.deepEqual(
    [third.payload.toString(), third.dup, third.messageId],
    ['three', true, got[2]!.messageId],
  );
  const other = await WireClient.connect(t, a.port);
  await other.subscribe('u');
  // A repetition of what was received there.
  second.publish({ topic: 'u', payload: 'mine', qos: 2, messageId: 5, dup: true });
  assert.equal((await second.next()).cmd, 'pubrec');
  second.send({ cmd: 'pubrel', messageId: 5 });
  const pubcomp = await second.next();
  assert.deepEqual([pubcomp.cmd, (pubcomp as { reasonCode?: number }).reasonCode ?? 0], ['pubcomp', 0]);
  assert.deepEqual(payloads(await other.sync()), []);
  second.send({ cmd: 'pubcomp', messageId: pubrel.messageId! });
  second.send({ cmd: 'pubrec', messageId: third.messageId! });
  assert.equal((await second.next()).cmd, 'pubrel');
  second.send({ cmd: 'pubcomp', messageId: third.messageId! });
  await second.sync();
  await eventually(async () => !(await look.names()).some((name) => /^[qir]:c$/.test(name)));
});

test('of two connections that come at once, at two instances, one stays, and it has the session', async (t) => {
  const { a, b } = await startTwo(t);
  const publisher = await WireClient.connect(t, a.port);
  const first = await WireClient.connect(t, a.port, lasting(5));
  await first.subscribe('t');
  for (let round = 0; round < 20; round++) {
    const came = await Promise.all([a, b, a, b].map(({ port }) => WireClient.open(t, port)));
    for (const one of came) one.send(one.connectPacket(lasting(5)));
    const open = new Set(came);
    for (const one of came) void one.ended.then(() => open.delete(one));
    await until(() => open.size === 1);
    const [stays] = open;
    const connack = await stays!.next();
    assert.equal(connack.cmd === 'connack' && connack.sessionPresent, true);
    await publish(publisher, 't', String(round));
    assert.deepEqual(payloads(await takeAll(stays!, 1)), [String(round)]);
    await stays!.sync();
  }
  assert.deepEqual([...a.faults, ...b.faults], []);
});

test('retained messages of one topic from two instances are the same everywhere in the end', async (t) => {
  const { redis, a, b } = await startTwo(t);
  const [atA, atB] = [await WireClient.connect(t, a.port), await WireClient.connect(t, b.port)];
  for (let i = 0; i < 200; i++) {
    atA.publish({ topic: 'r', payload: `a${i}`, retain: true, qos: 1 });
    atB.publish({ topic: 'r', payload: `b${i}`, retain: true, qos: 1 });
  }
  for (const client of [atA, atB]) for (let i = 0; i < 200; i++) await client.next();
  const c = await startShared(t, redis.url, 'c');
  const [kept] = [...c.broker.retained.matching('r', Date.now())];
  for (const { broker } of [a, b]) {
    await until(() => [...broker.retained.matching('r', 0)][0]!.payload.equals(kept!.payload));
  }
});

test('a message is captured where it is published, and nowhere else', async (t) => {
  const redis = await RedisServer.start(t);
  const captures = [new FakeCapture(), new FakeCapture()];
  const [a, b] = await Promise.all(
    captures.map((capture, i) => startShared(t, redis.url, String(i), {}, capture)),
  );
  const subscriber = await WireClient.connect(t, b!.port, lasting(5));
  await subscriber.subscribe('t');
  const publisher = await WireClient.connect(t, a!.port);
  await until(() => a!.broker.router.subscriptionCount === 1);
  for (const qos of [0, 1] as const) publisher.publish({ topic: 't', payload: `${qos}`, qos });
  assert.deepEqual(payloads([await subscriber.nextPublish(), await subscriber.nextPublish()]), ['0', '1']);
  assert.deepEqual(
    captures.map((capture) => capture.payloads),
    [['0', '1'], []],
  );
});

test('what a client publishes itself it does not get at another instance either, if it wants none', async (t) => {
  const { a, b, look } = await startTwo(t);
  const client = await WireClient.connect(t, a.port, lasting(5));
  await client.subscribe([{ topic: 't', qos: 1, nl: true }]);
  await until(() => b.broker.router.subscriptionCount === 1);
  await publish(client, 't', 'mine');
  const other = await WireClient.connect(t, b.port);
  await publish(other, 't', 'theirs');
  assert.deepEqual(payloads([await client.nextPublish()]), ['theirs']);
  assert.equal(await look.queued('c'), 1);
});

test('a topic of the broker itself is of its instance', async (t) => {
  const { a, b } = await startTwo(t);
  const [atA, atB] = [await WireClient.connect(t, a.port), await WireClient.connect(t, b.port)];
  for (const client of [atA, atB]) await client.subscribe('$SYS/#');
  a.broker.publish({ topic: '$SYS/a', payload: Buffer.from('x'), retain: true }, null);
  const got = (await atA.sync()).filter(({ cmd }) => cmd === 'publish');
  assert.ok(payloads(got).includes('x'));
  const marker = await WireClient.connect(t, a.port);
  await atB.subscribe('end');
  marker.publish({ topic: 'end', payload: 'end' });
  for (;;) {
    const { topic, payload } = await atB.nextPublish();
    assert.notEqual(topic, '$SYS/a');
    if (payload.toString() === 'end') break;
  }
});

test('names from the wire are texts and nothing else', async (t) => {
  const { a, b, look } = await startTwo(t);
  const publisher = await WireClient.connect(t, b.port);
  for (const clientId of ['__proto__', 'q:c', 'of:a', '*', 'a"b\\', 'ünï/☃']) {
    const first = await WireClient.connect(t, a.port, lasting(5, { clientId }));
    const topic = `t/${clientId.replace('*', '')}`;
    await first.subscribe(topic);
    await leave(first, a.broker, clientId);
    await publish(publisher, topic, clientId);
    const second = await WireClient.connect(t, b.port, lasting(5, { clientId }));
    assert.deepEqual(payloads(await takeAll(second, 1)), [clientId]);
    await leave(second, b.broker, clientId);
  }
  for (const topic of ['__proto__', 'constructor', 'hasOwnProperty']) {
    publisher.publish({ topic, payload: 'x', retain: true, qos: 1 });
    await publisher.next();
    await until(() => a.broker.retained.matching(topic, 0).next().done === false);
  }
  assert.ok((await look.names()).includes('s:__proto__'));
  assert.deepEqual([...a.faults, ...b.faults], []);
});

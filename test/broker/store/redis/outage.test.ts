/** What happens while an instance cannot reach Redis, and afterwards. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import type { IDisconnectPacket, IPubackPacket } from 'mqtt-packet';
import { RedisStore } from '../../../../src/broker/store/redis/redis-store.js';
import { MqttStreamError } from '../../../../src/errors.js';
import { RedisServer } from '../../../e2e/redis-server.js';
import { LIMITS, until } from '../../fixture.js';
import { lasting, leave, takeAll } from '../../lasting.js';
import { payloads, WireClient } from '../../wire-client.js';
import { eventually, Look, startShared, TIMES } from './fixture.js';
import { Line } from './line.js';

/** `a` reaches Redis by a line that can be cut, `b` directly. */
async function startTwo(t: TestContext) {
  const redis = await RedisServer.start(t);
  const line = await Line.start(t, redis.url);
  const a = await startShared(t, line.url, 'a');
  const b = await startShared(t, redis.url, 'b');
  return { redis, line, a, b, look: new Look(t, redis.url) };
}

function codeOf(error: unknown): unknown {
  return error instanceof MqttStreamError ? error.code : error;
}

test('without Redis nothing starts, and the password is not told', async (t) => {
  const redis = await RedisServer.start(t);
  const url = redis.url.replace('//', '//user:secret@');
  await redis.stop();
  const parts = { prefix: 'x:', instance: 'x', limits: LIMITS, onRestored: () => {}, onFault: () => {} };
  await assert.rejects(RedisStore.open({ ...parts, url }), (error: Error) => {
    assert.equal(codeOf(error), 'STORE_UNREACHABLE');
    assert.ok(error.message.includes(redis.url) && !error.message.includes('secret'), error.message);
    return true;
  });
});

test('a wrong password is said so', async (t) => {
  const redis = await RedisServer.start(t);
  const admin = redis.client(t);
  await admin.config('SET', 'requirepass', 'right');
  const parts = { prefix: 'x:', instance: 'x', limits: LIMITS, onRestored: () => {}, onFault: () => {} };
  for (const url of [redis.url, redis.url.replace('//', '//:wrong@')]) {
    await assert.rejects(RedisStore.open({ ...parts, url }), (error: Error) => {
      assert.match(error.message, /NOAUTH|WRONGPASS|required|invalid/i);
      return codeOf(error) === 'STORE_UNREACHABLE';
    });
  }
});

test('publishers of QoS 1 and 2 wait for Redis, QoS 0 goes on, nobody new is let in; then all goes on', async (t) => {
  const { line, a, b } = await startTwo(t);
  const subscriber = await WireClient.connect(t, a.port);
  await subscriber.subscribe('t');
  const elsewhere = await WireClient.connect(t, b.port);
  await elsewhere.subscribe('t');
  const publisher = await WireClient.connect(t, a.port);
  line.cut();
  await until(() => a.faults.length > 0);
  publisher.publish({ topic: 't', payload: 'one', qos: 1, messageId: 1 });
  publisher.publish({ topic: 't', payload: 'two', qos: 2, messageId: 2 });
  publisher.publish({ topic: 't', payload: 'zero', qos: 0 });
  const got = [
    await subscriber.nextPublish(),
    await subscriber.nextPublish(),
    await subscriber.nextPublish(),
  ];
  assert.deepEqual(payloads(got), ['one', 'two', 'zero']);
  assert.deepEqual(publisher.take(), []);
  const refused = await WireClient.open(t, a.port);
  assert.equal((await refused.connect()).reasonCode, 0x88);
  line.mend();
  const answers = [await publisher.next(), await publisher.next()];
  assert.deepEqual(
    answers.map(({ cmd }) => cmd),
    ['puback', 'pubrec'],
  );
  assert.equal((answers[0] as IPubackPacket).reasonCode ?? 0, 0);
  await until(() => a.restored() === 1);
  assert.deepEqual(a.faults.map(codeOf), ['STORE_UNREACHABLE']);
  assert.deepEqual(payloads([await elsewhere.nextPublish(), await elsewhere.nextPublish()]), ['one', 'two']);
  publisher.publish({ topic: 't', payload: 'after', qos: 0 });
  assert.deepEqual(payloads([await elsewhere.nextPublish()]), ['after']);
  await WireClient.connect(t, a.port);
});

test('who has a lasting session comes again, and has missed nothing', async (t) => {
  const { line, a, b } = await startTwo(t);
  const client = await WireClient.connect(t, a.port, lasting(5));
  await client.subscribe('t');
  const publisher = await WireClient.connect(t, b.port);
  await until(() => b.broker.router.subscriptionCount === 1);
  line.cut();
  await until(() => a.faults.length > 0);
  publisher.publish({ topic: 't', payload: 'missed', qos: 1 });
  assert.equal((await publisher.next()).cmd, 'puback');
  line.mend();
  const goodbye = (await client.next()) as IDisconnectPacket;
  assert.deepEqual([goodbye.cmd, goodbye.reasonCode], ['disconnect', 0x89]);
  await until(() => a.restored() === 1);
  const back = await WireClient.connect(t, a.port, lasting(5));
  assert.deepEqual(payloads(await takeAll(back, 1)), ['missed']);
});

test('an instance that was given up has lost its clients to the others', async (t) => {
  const { line, a, b, look } = await startTwo(t);
  const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1 as const, retain: false };
  const watcher = await WireClient.connect(t, b.port);
  await watcher.subscribe('will');
  const stays = await WireClient.connect(t, a.port, { clientId: 'stays' });
  const moves = await WireClient.connect(t, a.port, { clientId: 'moves' });
  const session = await WireClient.connect(t, a.port, lasting(5, { will }));
  await session.subscribe('t');
  line.cut();
  assert.deepEqual(payloads([await watcher.nextPublish()]), ['gone']);
  await eventually(async () => (await look.field('c', 'own')) === 'b');
  await WireClient.connect(t, b.port, { clientId: 'moves' });
  line.mend();
  await until(() => a.restored() === 1);
  const ends = await Promise.all([moves.next(), session.next()]);
  assert.deepEqual(
    ends.map(({ cmd }) => cmd),
    ['disconnect', 'disconnect'],
  );
  assert.deepEqual(await stays.sync(), []);
  await eventually(async () => (await look.field('stays', 'own')) === 'a');
  const back = await WireClient.open(t, a.port);
  assert.equal((await back.connect(lasting(5))).sessionPresent, true);
});

test('retained messages of both sides of an outage are there afterwards, the latest of each topic', async (t) => {
  const { line, a, b } = await startTwo(t);
  const [atA, atB] = [await WireClient.connect(t, a.port), await WireClient.connect(t, b.port)];
  line.cut();
  await until(() => a.faults.length > 0);
  for (let i = 0; i < 100; i++) atA.publish({ topic: 'r/a', payload: String(i), retain: true });
  atA.publish({ topic: 'r/q', payload: '1', retain: true, qos: 1 });
  atA.publish({ topic: 'r/q', payload: '0', retain: true });
  await until(() => [...a.broker.retained.matching('r/q', 0)][0]?.payload.toString() === '0');
  atB.publish({ topic: 'r/b', payload: 'b', retain: true });
  await atB.sync();
  line.mend();
  await until(() => a.restored() === 1);
  for (const { port } of [a, b]) {
    const asking = await WireClient.connect(t, port);
    await eventually(async () => {
      await asking.subscribe('r/#');
      const got = payloads(await asking.sync()).sort();
      return got.join() === ['0', '99', 'b'].join();
    });
  }
});

test('a batch whose answer was lost is not executed twice', async (t) => {
  const { line, a, b, look } = await startTwo(t);
  const client = await WireClient.connect(t, b.port, lasting(5));
  await client.subscribe('t');
  await leave(client, b.broker);
  await until(() => a.broker.router.subscriptionCount === 1);
  const publisher = await WireClient.connect(t, a.port);
  line.mute();
  publisher.publish({ topic: 't', payload: 'once', qos: 2, messageId: 1 });
  await eventually(async () => (await look.queued('c')) === 1);
  const back = await WireClient.connect(t, b.port, lasting(5));
  assert.deepEqual(payloads(await takeAll(back, 1)), ['once']);
  await back.sync();
  line.cut();
  await until(() => a.faults.length > 0);
  line.mend();
  assert.equal((await publisher.next()).cmd, 'pubrec');
  assert.deepEqual(await back.sync(), []);
  assert.equal(await look.queued('c'), 0);
});

test('a Redis that does not answer is one that is not there', async (t) => {
  const { redis, a } = await startTwo(t);
  const subscriber = await WireClient.connect(t, a.port);
  await subscriber.subscribe('t');
  const publisher = await WireClient.connect(t, a.port);
  redis.freeze();
  publisher.publish({ topic: 't', payload: 'one', qos: 1 });
  await until(() => a.faults.length > 0);
  publisher.publish({ topic: 't', payload: 'zero' });
  assert.deepEqual(payloads([await subscriber.nextPublish(), await subscriber.nextPublish()]), [
    'one',
    'zero',
  ]);
  assert.deepEqual(publisher.take(), []);
  redis.thaw();
  assert.equal((await publisher.next()).cmd, 'puback');
  await until(() => a.restored() === 1);
  assert.deepEqual(a.faults.map(codeOf), ['STORE_UNREACHABLE']);
});

test('what Redis refuses is tried again and reported once', async (t) => {
  const { redis, a } = await startTwo(t);
  const admin = redis.client(t);
  const publisher = await WireClient.connect(t, a.port);
  await admin.config('SET', 'maxmemory', '1');
  publisher.publish({ topic: 't', payload: 'x', qos: 1 });
  await until(() => a.faults.length > 0);
  assert.match(a.faults[0]!.message, /OOM/);
  await admin.config('SET', 'maxmemory', '0');
  assert.equal((await publisher.next()).cmd, 'puback');
  assert.deepEqual([a.faults.length, a.restored()], [1, 1]);
});

test('a Redis that has lost everything is filled by those who come', async (t) => {
  const { redis, a, b } = await startTwo(t);
  const client = await WireClient.connect(t, a.port, lasting(5));
  await client.subscribe('t');
  await redis.stop();
  await until(() => a.faults.length > 0 && b.faults.length > 0);
  await redis.start();
  await until(() => a.restored() === 1 && b.restored() === 1);
  const back = await WireClient.open(t, b.port);
  assert.equal((await back.connect(lasting(5))).sessionPresent, false);
  await back.subscribe('t');
  const publisher = await WireClient.connect(t, a.port);
  await until(() => a.broker.router.subscriptionCount === 1);
  publisher.publish({ topic: 't', payload: 'x', qos: 1 });
  assert.deepEqual(payloads(await takeAll(back, 1)), ['x']);
});

test('an instance that does not answer is not waited for without end', async (t) => {
  const redis = await RedisServer.start(t);
  const b = await startShared(t, redis.url, 'b');
  const other = new Redis(redis.url);
  const listening = new Redis(redis.url);
  t.after(() => {
    other.disconnect();
    listening.disconnect();
  });
  await listening.subscribe('test:to:silent');
  const asked = new Promise((resolve) => listening.once('message', resolve));
  await other.set('test:alive:silent', '1', 'PX', 10 * TIMES.patience);
  await other.hset('test:s:c', 'own', 'silent');
  const client = await WireClient.open(t, b.port);
  const connack = client.connect({ clientId: 'c' });
  await asked;
  assert.equal((await connack).reasonCode, 0);
  assert.equal(await other.hget('test:s:c', 'own'), 'b');
});

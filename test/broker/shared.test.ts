/** Shared subscriptions over the wire: each message to one member of the group, and never lost with a member. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { IPublishPacket } from 'mqtt-packet';
import { startBroker, type TestBroker, until } from './fixture.js';
import { lasting, leave, takeAll } from './lasting.js';
import { payloads, WireClient } from './wire-client.js';

type Version = 3 | 4 | 5;

/** Members of `$share/g/a/#`. */
async function members(
  t: TestContext,
  { tcp }: TestBroker,
  count: number,
  qos: 0 | 1 | 2 = 2,
  options: { version?: Version; receiveMaximum?: number } = {},
): Promise<WireClient[]> {
  const { version = 5, receiveMaximum = 100 } = options;
  const clients: WireClient[] = [];
  for (let i = 0; i < count; i++) {
    const properties = version === 5 ? { properties: { receiveMaximum } } : {};
    const client = await WireClient.connect(t, tcp.port, { version, clientId: `m${i}`, ...properties });
    assert.deepEqual(await client.subscribe([{ topic: '$share/g/a/#', qos }]), [qos]);
    clients.push(client);
  }
  return clients;
}

async function publisherOf(t: TestContext, { tcp }: TestBroker) {
  const client = await WireClient.connect(t, tcp.port, { clientId: 'p' });
  let sent = 0;
  return {
    client,
    async publish(count: number, qos: 0 | 1 | 2 = 1, topic = 'a/b') {
      for (let i = 0; i < count; i++) client.publish({ topic, payload: String(sent++), qos });
      await client.sync();
    },
  };
}

async function gotBy(clients: readonly WireClient[]): Promise<string[][]> {
  return Promise.all(clients.map(async (client) => payloads(await client.sync())));
}

function numbers(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => String(from + i));
}

function ascending(all: readonly string[]): string[] {
  return [...all].sort((a, b) => Number(a) - Number(b));
}

for (const version of [3, 4, 5] as const) {
  test(`one after the other gets a message, with its QoS; MQTT ${version}`, async (t) => {
    const started = await startBroker(t);
    const clients = await members(t, started, 3, 1, { version });
    assert.equal(started.broker.router.sharedCount, 3);
    const { publish } = await publisherOf(t, started);
    await publish(6, 2);
    const got = await Promise.all(clients.map(async (client) => (await client.sync()) as IPublishPacket[]));
    assert.deepEqual(
      got.map((packets) => packets.map(({ payload, qos }) => [payload.toString(), qos])),
      [0, 1, 2].map((i) => [
        [String(i), 1],
        [String(i + 3), 1],
      ]),
    );
  });
}

test('sticky: all messages of a publisher to the same member', async (t) => {
  const started = await startBroker(t, { shareStrategy: 'sticky' });
  const clients = await members(t, started, 4);
  const taken = new Set<number>();
  for (let i = 0; i < 16; i++) {
    const publisher = await WireClient.connect(t, started.tcp.port, { clientId: `publisher-${i}` });
    for (let n = 0; n < 5; n++) publisher.publish({ topic: 'a/b', payload: String(n) });
    await publisher.sync();
    const got = await gotBy(clients);
    assert.deepEqual(got.flat(), numbers(5));
    taken.add(got.findIndex(({ length }) => length > 0));
  }
  assert.ok(taken.size > 1, 'not one member for all publishers');
});

test('groups and filters are apart; a plain subscription of a member has its own copy', async (t) => {
  const started = await startBroker(t);
  const { tcp, broker } = started;
  const [one] = await members(t, started, 1);
  const other = await WireClient.connect(t, tcp.port);
  await other.subscribe([{ topic: '$share/h/a/#' }], 7);
  await one.subscribe([{ topic: '$share/g/a/b' }]);
  await one.subscribe([{ topic: 'a/+' }], 8);
  assert.equal(broker.router.subscriptionCount, 4);
  const { publish } = await publisherOf(t, started);
  await publish(1);
  const mine = (await one.sync()) as IPublishPacket[];
  assert.deepEqual(payloads(mine), ['0', '0', '0'], 'its own, and one for each shared subscription');
  assert.deepEqual(mine.map(({ properties }) => properties?.subscriptionIdentifier).filter(Boolean), [8]);
  const [theirs] = (await other.sync()) as IPublishPacket[];
  assert.equal(theirs.properties?.subscriptionIdentifier, 7);
});

test('no retained messages; retain as published', async (t) => {
  const started = await startBroker(t);
  const { client, publish } = await publisherOf(t, started);
  client.publish({ topic: 'a/b', payload: 'kept', retain: true });
  await publish(0);
  const [plain] = await members(t, started, 1);
  const as = await WireClient.connect(t, started.tcp.port);
  await as.subscribe([{ topic: '$share/h/a/#', rap: true }]);
  assert.deepEqual(await gotBy([plain, as]), [[], []]);
  client.publish({ topic: 'a/b', retain: true });
  await client.sync();
  assert.deepEqual(
    [...(await plain.sync()), ...(await as.sync())].map(
      (packet) => packet.cmd === 'publish' && packet.retain,
    ),
    [false, true],
  );
});

test('no-local is a protocol error', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  client.send({
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: [{ topic: '$share/g/a', qos: 0, nl: true, rap: false, rh: 0 }],
  });
  const answer = await client.next();
  assert.equal(answer.cmd === 'disconnect' && answer.reasonCode, 0x82);
  await client.ended;
  assert.equal(broker.router.subscriptionCount, 0);
});

for (const version of [4, 5] as const) {
  test(`names and filters that are not well-formed end the connection; MQTT ${version}`, async (t) => {
    const { tcp, broker } = await startBroker(t);
    for (const topic of [
      '$share/',
      '$share/g',
      '$share/g/',
      '$share//a',
      '$share/+/a',
      '$share/g#/a',
      '$share/g/a#',
    ]) {
      const client = await WireClient.connect(t, tcp.port, { version });
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }] });
      await client.ended;
      const [told, ...more] = client.take();
      if (version === 5)
        assert.ok(told.cmd === 'disconnect' && [0x81, 0x82].includes(told.reasonCode!), topic);
      else assert.equal(told, undefined, topic);
      assert.deepEqual(more, []);
    }
    const client = await WireClient.connect(t, tcp.port, { version });
    assert.deepEqual(await client.subscribe([{ topic: '$share/__proto__/#', qos: 1 }]), [1]);
    assert.ok(broker.router.sharedCount === 1);
  });
}

test('UNSUBSCRIBE: the others get what comes, and what it was not sent yet', async (t) => {
  const started = await startBroker(t);
  const [one, two] = await members(t, started, 2, 1, { receiveMaximum: 2 });
  const { publish } = await publisherOf(t, started);
  await publish(10);
  const [first, second] = await gotBy([one, two]);
  assert.equal(first.length + second.length, 4);
  one.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: ['$share/g/a/#', '$share/x/a/#'] });
  const answer = await one.next();
  assert.deepEqual(answer.cmd === 'unsuback' && answer.granted, [0, 0x11]);
  await publish(2);
  // What two has so far it has not acknowledged; the rest follows.
  for (let id = 1; id <= 2; id++) two.send({ cmd: 'puback', messageId: id });
  const rest = await takeAll(two, 12 - first.length - second.length);
  assert.deepEqual(ascending([...first, ...second, ...payloads(rest)]), numbers(12));
  for (let id = 1; id <= 2; id++) one.send({ cmd: 'puback', messageId: id });
  assert.deepEqual(await one.sync(), []);
  assert.equal(started.broker.stats.dropped, 0);
});

test('who is connected and has nothing waiting comes first', async (t) => {
  const started = await startBroker(t);
  const [slow] = await members(t, started, 1, 1, { receiveMaximum: 1 });
  const quick = await WireClient.connect(t, started.tcp.port);
  await quick.subscribe([{ topic: '$share/g/a/#', qos: 1 }]);
  const { publish } = await publisherOf(t, started);
  await publish(20);
  // One is in flight to the slow one and one more waits for it: then it has enough.
  assert.deepEqual(await gotBy([slow]), [['0']]);
  assert.equal(payloads(await quick.sync()).length, 18);
});

test('a lasting member that is away gets messages only while nobody is connected', async (t) => {
  const started = await startBroker(t);
  const { tcp, broker } = started;
  const away = await WireClient.connect(t, tcp.port, lasting(5));
  await away.subscribe([{ topic: '$share/g/a/#', qos: 1 }]);
  await leave(away, broker);
  const [here] = await members(t, started, 1);
  const { publish } = await publisherOf(t, started);
  await publish(3);
  assert.deepEqual(await gotBy([here]), [numbers(3)]);
  await here.break();
  await until(() => broker.router.sharedCount === 1);
  const waits = broker.sessions.get('c')!.backlog.messages;
  assert.equal(waits, 3, 'what the other had not acknowledged');
  await publish(2);
  const back = await WireClient.connect(t, tcp.port, lasting(5));
  const got = await takeAll(back, 5);
  assert.deepEqual(payloads(got), numbers(5));
});

test('QoS 1 that a member of a clean session has not acknowledged goes to another; QoS 2 that was sent does not', async (t) => {
  for (const version of [4, 5] as const) {
    const started = await startBroker(t);
    const [one, two] = await members(t, started, 2, 2, { version });
    const { publish, client } = await publisherOf(t, started);
    await publish(2, 1);
    await publish(2, 2);
    assert.deepEqual(await gotBy([one, two]), [
      ['0', '2'],
      ['1', '3'],
    ]);
    await one.break();
    await until(() => started.broker.sessions.get('m0') === undefined);
    assert.deepEqual(payloads(await two.sync()), ['0'], 'MQTT-4.8.2-5 forbids "2"');
    await client.break();
  }
});

test('what was acknowledged, be it with an error, goes to nobody else', async (t) => {
  const started = await startBroker(t);
  const [one, two] = await members(t, started, 2, 1);
  const { publish } = await publisherOf(t, started);
  await publish(4);
  const got = (await one.sync()) as IPublishPacket[];
  one.send({ cmd: 'puback', messageId: got[0].messageId! });
  one.send({ cmd: 'puback', messageId: got[1].messageId!, reasonCode: 0x80 });
  await one.sync();
  await one.break();
  await until(() => started.broker.sessions.get('m0') === undefined);
  assert.deepEqual(await gotBy([two]), [['1', '3']]);
});

test('a lasting member that leaves keeps what it was sent until its session ends; others get the rest', async (t) => {
  const started = await startBroker(t);
  const { tcp, broker } = started;
  const who = lasting(5, { properties: { receiveMaximum: 2 } });
  const first = await WireClient.connect(t, tcp.port, who);
  await first.subscribe([{ topic: '$share/g/a/#', qos: 1 }]);
  const { publish } = await publisherOf(t, started);
  await publish(6);
  assert.deepEqual(await gotBy([first]), [['0', '1']]);
  const [other] = await members(t, started, 1, 1);
  await leave(first, broker);
  assert.deepEqual(await gotBy([other]), [['2', '3', '4', '5']]);
  const again = await WireClient.connect(t, tcp.port, who);
  const repeated = (await again.sync()) as IPublishPacket[];
  assert.deepEqual(
    repeated.map(({ payload, dup }) => [payload.toString(), dup]),
    [
      ['0', true],
      ['1', true],
    ],
  );
  again.send({ cmd: 'puback', messageId: repeated[0].messageId! });
  await again.sync();
  await leave(again, broker);
  // It begins anew: its session is over.
  const fresh = await WireClient.connect(t, tcp.port, { ...who, clean: true });
  assert.deepEqual(await gotBy([fresh, other]), [[], ['1']]);
});

test('members that come and go: every QoS 1 message reaches one of them', async (t) => {
  const started = await startBroker(t, { limits: { inflight: 5 } });
  const { tcp, broker } = started;
  const seen = new Set<string>();
  const taking = async (client: WireClient) => {
    for (;;) {
      const { payload, messageId } = await client.nextPublish();
      seen.add(payload.toString());
      client.send({ cmd: 'puback', messageId: messageId! });
    }
  };
  const stays = await WireClient.connect(t, tcp.port);
  await stays.subscribe([{ topic: '$share/g/a/#', qos: 1 }]);
  const ends = [taking(stays).catch(() => {})];
  const { publish } = await publisherOf(t, started);
  for (let round = 0; round < 10; round++) {
    const client = await WireClient.connect(t, tcp.port, { clientId: `r${round}` });
    await client.subscribe([{ topic: '$share/g/a/#', qos: 1 }]);
    if (round % 2 === 0) ends.push(taking(client).catch(() => {}));
    await publish(100);
    await client.break();
  }
  await until(() => seen.size === 1000);
  assert.equal(broker.stats.dropped, 0);
  await stays.break();
  await Promise.all(ends);
  await until(() => broker.router.empty || broker.router.sharedCount === 0);
});

test('nobody is disconnected when all members have as much as they may: what is beyond is dropped and counted', async (t) => {
  const limits = { clientQueueMessages: 10, stalledAfter: 1, inflight: 1 };
  const started = await startBroker(t, { limits });
  const { broker } = started;
  const clients = await members(t, started, 2, 1);
  const { publish, client } = await publisherOf(t, started);
  await publish(60);
  // One in flight and ten waiting for each of both.
  assert.equal(broker.stats.dropped, 38);
  assert.equal(broker.stats.quotaDisconnects, 0);
  await clients[0].break();
  await until(() => broker.sessions.get('m0') === undefined);
  assert.equal(broker.stats.dropped, 38 + 11, 'the other has no room for what the first one had');
  assert.equal((await takeAll(clients[1], 11)).length, 11);
  await client.sync();
});

test('a member that does not take packets of this size is passed over', async (t) => {
  const started = await startBroker(t);
  const { tcp, broker } = started;
  const small = await WireClient.connect(t, tcp.port, { properties: { maximumPacketSize: 50 } });
  await small.subscribe([{ topic: '$share/g/a/#', qos: 1 }]);
  const [other] = await members(t, started, 1);
  const publisher = await WireClient.connect(t, tcp.port);
  const properties = { userProperties: { name: 'x'.repeat(60) } };
  for (const qos of [0, 1, 2] as const) {
    publisher.publish({ topic: 'a/b', payload: `small ${qos}`, qos });
    publisher.publish({ topic: 'a/b', payload: `large ${qos}`, qos, properties });
    publisher.publish({ topic: 'a/b', payload: `large ${qos}`, qos, properties });
  }
  await publisher.sync();
  const [mine, theirs] = await gotBy([small, other]);
  assert.ok(mine.every((payload) => payload.startsWith('small')));
  assert.equal(theirs.filter((payload) => payload.startsWith('large')).length, 6);
  assert.equal(mine.length + theirs.length, 9);
  await other.break();
  await until(() => broker.router.sharedCount === 1);
  const { dropped } = broker.stats;
  publisher.publish({ topic: 'a/b', qos: 1, properties });
  await publisher.sync();
  assert.equal(broker.stats.dropped, dropped + 1, 'nobody is left that takes it');
});

test('a message that expires while it waits for a member goes to nobody', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 });
  const started = await startBroker(t);
  const [one] = await members(t, started, 1, 1, { receiveMaximum: 1 });
  const publisher = await WireClient.connect(t, started.tcp.port);
  for (const messageExpiryInterval of [1, 1, 100]) {
    publisher.publish({
      topic: 'a/b',
      payload: String(messageExpiryInterval),
      qos: 1,
      properties: { messageExpiryInterval },
    });
  }
  await publisher.sync();
  assert.deepEqual(await gotBy([one]), [['1']]);
  t.mock.timers.setTime(1_700_000_002_000);
  one.send({ cmd: 'puback', messageId: 1 });
  assert.deepEqual(await gotBy([one]), [['100']]);
});

test('a replay or an answer goes to one of the group, too', async (t) => {
  const started = await startBroker(t);
  const { tcp, broker } = started;
  const clients = await Promise.all([0, 1].map(() => WireClient.connect(t, tcp.port)));
  for (const client of clients) await client.subscribe([{ topic: '$share/g/MQfile/#', qos: 1 }]);
  for (let i = 0; i < 6; i++) {
    const payload = Buffer.from(String(i));
    broker.deliver(
      { cmd: 'publish', topic: 'MQfile/r/1/a', payload, qos: 1, retain: false, dup: false },
      () => assert.fail('nobody is busy'),
    );
  }
  const got = await gotBy(clients);
  assert.deepEqual(
    got.map(({ length }) => length),
    [3, 3],
  );
  assert.deepEqual(ascending(got.flat()), numbers(6));
});

test('a lasting session that ends while its client is away leaves what it was sent to the others', async (t) => {
  const started = await startBroker(t);
  const { tcp, broker } = started;
  const who = lasting(5);
  const first = await WireClient.connect(t, tcp.port, who);
  await first.subscribe([{ topic: '$share/g/a/#', qos: 1 }]);
  const { publish } = await publisherOf(t, started);
  await publish(3);
  await leave(first, broker);
  // It is back and gone again without a word.
  const second = await WireClient.connect(t, tcp.port, who);
  assert.deepEqual(await gotBy([second]), [numbers(3)]);
  await leave(second, broker);
  const [other] = await members(t, started, 1, 1);
  assert.deepEqual(await gotBy([other]), [[]], 'the first may come back');
  broker.sessions.end(broker.sessions.get('c')!);
  assert.deepEqual(await gotBy([other]), [numbers(3)]);
  assert.equal(broker.router.sharedCount, 1);
});

/** What one client may have and do, and what all of them together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Packet } from 'mqtt-packet';
import { FakeCapture } from './fake-capture.js';
import { startBroker, until } from './fixture.js';
import { lasting, leave } from './lasting.js';
import { payloads, WireClient } from './wire-client.js';

function codes(packets: readonly Packet[]): (number | undefined)[] {
  return packets.flatMap((packet) =>
    packet.cmd === 'puback' || packet.cmd === 'pubrec' ? [packet.reasonCode ?? 0] : [],
  );
}

for (const [version, refused] of [
  [4, 0x80],
  [5, 0x97],
] as const) {
  test(`subscriptions of a client; one that it has it may have again; MQTT ${version}`, async (t) => {
    const { tcp, broker } = await startBroker(t, { limits: { subscriptionsPerClient: 2 } });
    const client = await WireClient.connect(t, tcp.port, { version });
    const ask = (...topics: string[]) => client.subscribe(topics.map((topic) => ({ topic, qos: 1 })));
    assert.deepEqual(await ask('a', '$share/g/b', 'c', 'a'), [1, 1, refused, 1]);
    assert.equal(broker.stats.subscriptionsRefused, 1);
    assert.equal(broker.router.subscriptionCount, 2);
    client.send({ cmd: 'unsubscribe', messageId: 99, unsubscriptions: ['a'] });
    await client.next();
    assert.deepEqual(await ask('c'), [1]);
    const other = await WireClient.connect(t, tcp.port);
    assert.deepEqual(await other.subscribe('d'), [2]);
  });
}

test('the length of a topic in bytes, of a filter and of a topic, with properties or without', async (t) => {
  const { tcp } = await startBroker(t, { limits: { topicBytes: 10 } });
  for (const properties of [undefined, { contentType: 'x' }]) {
    for (const [topic, allowed] of [
      ['x'.repeat(10), true],
      ['x'.repeat(11), false],
      ['é'.repeat(5), true],
      ['é'.repeat(6), false],
    ] as const) {
      const client = await WireClient.connect(t, tcp.port);
      assert.deepEqual(await client.subscribe([{ topic }]), [allowed ? 2 : 0x8f]);
      client.publish({ topic, ...(properties === undefined ? {} : { properties }) });
      if (allowed) {
        assert.equal((await client.sync()).length, 1);
      } else {
        const answer = await client.next();
        assert.equal(answer.cmd === 'disconnect' && answer.reasonCode, 0x90);
      }
      await client.break();
    }
  }
});

test('retained messages: beyond the number or the bytes they are routed, not retained, counted, and told', async (t) => {
  const { tcp, broker } = await startBroker(t, { limits: { retainedMessages: 2, retainedBytes: 100 } });
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe('#');
  const client = await WireClient.connect(t, tcp.port);
  const old = await WireClient.connect(t, tcp.port, { version: 4 });
  const retain = async (from: WireClient, topic: string, bytes: number, qos: 1 | 2 = 1) => {
    from.publish({ topic, payload: 'x'.repeat(bytes), qos, retain: true });
    return codes([await from.next()]);
  };
  assert.deepEqual(await retain(client, 'a', 10), [0]);
  assert.deepEqual(await retain(client, 'b', 10), [0]);
  assert.deepEqual(await retain(client, 'c', 10), [0x97]);
  assert.deepEqual(await retain(client, 'c', 10, 2), [0x97]);
  assert.deepEqual(await retain(old, 'c', 10), [0]);
  assert.deepEqual(await retain(client, 'a', 90), [0], 'another for the same topic');
  assert.deepEqual([broker.retained.count, broker.retained.bytes], [2, 100]);
  // What it was before is not true any more.
  assert.deepEqual(await retain(client, 'a', 91), [0x97]);
  assert.deepEqual([broker.retained.count, broker.retained.bytes], [1, 10]);
  assert.deepEqual(await retain(client, 'c', 0), [0]);
  assert.deepEqual(await retain(client, 'c', 90), [0]);
  assert.equal(broker.stats.retainedRefused, 4);
  broker.publish({ topic: '$SYS/own', payload: 'x'.repeat(50), retain: true }, null);
  assert.equal(broker.retained.count, 3);
  assert.equal(payloads(await watcher.sync()).length, 9, 'all of the clients were routed');
  const late = await WireClient.connect(t, tcp.port);
  await late.subscribe('#');
  assert.deepEqual(
    (await late.sync()).map((packet) => packet.cmd === 'publish' && packet.topic),
    ['b', 'c'],
  );
});

test('retained messages that have expired make room', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 });
  const { tcp, broker } = await startBroker(t, { limits: { retainedMessages: 2 } });
  const client = await WireClient.connect(t, tcp.port);
  const retain = async (topic: string, messageExpiryInterval: number) => {
    client.publish({ topic, payload: 'x', qos: 1, retain: true, properties: { messageExpiryInterval } });
    return codes([await client.next()]);
  };
  const kept = 0x10;
  assert.deepEqual(await retain('a', 5), [kept]);
  assert.deepEqual(await retain('b', 50), [kept]);
  assert.deepEqual(await retain('c', 50), [0x97]);
  t.mock.timers.setTime(1_700_000_006_000);
  assert.deepEqual(await retain('c', 50), [kept]);
  assert.deepEqual([broker.retained.count, broker.retained.bytes], [2, 2]);
  assert.deepEqual(await retain('d', 50), [0x97]);
});

test('sessions: beyond their number one ends with its connection; those that are away stay', async (t) => {
  const { tcp, broker } = await startBroker(t, { limits: { sessions: 2 } });
  const first = await WireClient.connect(t, tcp.port, lasting(5, { clientId: 'a' }));
  await leave(first, broker, 'a');
  const passing = await WireClient.connect(t, tcp.port, { clientId: 'b' });
  const third = await WireClient.connect(t, tcp.port, lasting(4, { clientId: 'c' }));
  await third.subscribe('x');
  await third.break();
  await until(() => broker.sessions.get('c') === undefined);
  assert.equal(broker.stats.sessionsRefused, 1);
  assert.equal(broker.router.subscriptionCount, 0);
  await passing.break();
  const again = await WireClient.open(t, tcp.port, 4);
  assert.equal((await again.connect(lasting(4, { clientId: 'c' }))).sessionPresent, false);
  await leave(again, broker, 'c');
  const back = await WireClient.open(t, tcp.port);
  assert.equal((await back.connect(lasting(5, { clientId: 'a' }))).sessionPresent, true);
  assert.equal(broker.stats.sessionsRefused, 1);
});

test('a client that is away: the newest are dropped, or the oldest', async (t) => {
  for (const [whenSessionQueueFull, expected] of [
    ['drop-newest', ['0', '1', '2']],
    ['drop-oldest', ['4', '5', '6']],
  ] as const) {
    const { tcp, broker } = await startBroker(t, {
      limits: { clientQueueMessages: 3, whenSessionQueueFull },
    });
    const first = await WireClient.connect(t, tcp.port, lasting(5));
    await first.subscribe([{ topic: 'a', qos: 1 }]);
    const publisher = await WireClient.connect(t, tcp.port);
    publisher.publish({ topic: 'a', payload: '0', qos: 1 });
    await publisher.sync();
    assert.deepEqual(payloads(await first.sync()), ['0']);
    await leave(first, broker);
    for (let i = 1; i <= 6; i++) publisher.publish({ topic: 'a', payload: String(i), qos: 1 });
    await publisher.sync();
    await until(() => broker.stats.dropped === 4);
    const second = await WireClient.connect(t, tcp.port, lasting(5));
    assert.deepEqual(payloads(await second.sync()), expected);
    assert.equal(broker.sessions.get('c')!.backlog.messages, 3);
  }
});

test('requests: those that come too often are not allowed, and each client has its own measure', async (t) => {
  let now = 0;
  const { tcp, broker } = await startBroker(t, { limits: { requestsPerSecond: 2 }, now: () => now });
  const asked: [string, boolean][] = [];
  broker.events.onRequest = (_packet, { clientId }, allowed) => asked.push([clientId, allowed]);
  const one = await WireClient.connect(t, tcp.port, { clientId: '1' });
  const two = await WireClient.connect(t, tcp.port, { clientId: '2' });
  const ask = async (client: WireClient, count: number) => {
    for (let i = 0; i < count; i++) client.publish({ topic: '$STREAM/flush', qos: 1 });
    assert.deepEqual(codes(await client.sync()), Array(count).fill(0));
    return asked.splice(0).map(([, allowed]) => allowed);
  };
  assert.deepEqual(await ask(one, 3), [true, true, false]);
  assert.deepEqual(await ask(two, 1), [true]);
  now += 500;
  assert.deepEqual(await ask(one, 2), [true, false]);
  assert.equal(broker.stats.requestsRefused, 2);
});

test('a client that sends too fast is not read for a while; nothing is lost, and others are not slowed down', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const capture = new FakeCapture();
  let now = 0;
  const { tcp, broker } = await startBroker(t, {
    limits: { messagesPerSecond: 5 },
    capture,
    now: () => now,
  });
  const elapse = (ms: number) => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  const client = await WireClient.connect(t, tcp.port);
  client.send(...Array.from({ length: 20 }, () => client.publishPacket({ topic: 'a', qos: 1 })));
  await until(() => capture.taken.length === 5);
  assert.equal(broker.heldConnections, 1);
  const other = await WireClient.connect(t, tcp.port);
  for (let i = 0; i < 3; i++) other.publish({ topic: 'b', qos: 1 });
  assert.equal((await other.sync()).length, 3);
  assert.equal(capture.taken.length, 8);
  elapse(199);
  assert.equal(capture.taken.length, 8);
  elapse(1);
  for (let taken = 9; taken <= 23; taken++) {
    assert.deepEqual([capture.taken.length, broker.heldConnections], [taken, 1]);
    elapse(200);
  }
  assert.equal(broker.heldConnections, 0);
  assert.equal((await client.sync()).length, 20);
  assert.equal(broker.stats.slowedDown, 16);
});

test('what a client had sent before another connection took its place is not held up any more', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const capture = new FakeCapture();
  const { tcp } = await startBroker(t, { limits: { messagesPerSecond: 1 }, capture, now: () => 0 });
  const client = await WireClient.connect(t, tcp.port, { clientId: 'c' });
  client.send(...Array.from({ length: 20 }, () => client.publishPacket({ topic: 'a' })));
  await until(() => capture.taken.length === 1);
  await WireClient.connect(t, tcp.port, { clientId: 'c' });
  await client.ended;
  t.mock.timers.tick(1000);
  assert.equal(capture.taken.length, 20);
});

/** What clients may do, as they see it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { WrittenRule } from '../../src/broker/access/rule.js';
import { Rules } from '../../src/broker/access/rules.js';
import { allow, Bench, PASSWORDS } from './access/bench.js';
import { FakeCapture } from './fake-capture.js';
import { startBroker, until } from './fixture.js';
import { lasting, leave, takeAll } from './lasting.js';
import { type ConnectOptions, messages, payloads, WireClient } from './wire-client.js';

const deny = (topic: string, more: Partial<WrittenRule> = {}) => allow(topic, { permit: 'deny', ...more });
const as = (user: string, more: ConnectOptions = {}): ConnectOptions => ({
  username: user,
  password: Buffer.from(`${user}-password`),
  ...more,
});

async function start(t: TestContext, rules: readonly WrittenRule[]) {
  const bench = new Bench([PASSWORDS], rules);
  const access = await bench.open();
  const capture = new FakeCapture();
  const started = await startBroker(t, { access, capture });
  const change = async (changed: readonly WrittenRule[]) => {
    bench.state = { chain: [PASSWORDS], rules: new Rules(changed, 'deny') };
    (await access.renew())();
  };
  return { ...started, access, capture, change };
}

const ROOT = allow('#', { user: 'root' });

for (const version of [4, 5] as const) {
  test(`what may not be published is acknowledged, counted and goes nowhere, MQTT ${version}`, async (t) => {
    const { tcp, broker, capture } = await start(t, [ROOT, allow('own/${username}/#', { user: 'ada' })]);
    const watcher = await WireClient.connect(t, tcp.port, as('root'));
    await watcher.subscribe('#');
    const client = await WireClient.connect(t, tcp.port, as('ada', { version }));
    for (const qos of [0, 1, 2] as const) client.publish({ topic: 'own/bob/x', qos, retain: qos > 0 });
    const [puback, pubrec] = await client.sync();
    const refused = version === 5 ? 0x87 : undefined;
    assert.deepEqual(puback.cmd === 'puback' && [puback.reasonCode], [refused]);
    assert.deepEqual(pubrec.cmd === 'pubrec' && [pubrec.reasonCode], [refused]);
    client.publish({ topic: 'own/ada/x', qos: 1, payload: 'y' });
    assert.deepEqual(
      (await client.sync()).map((packet) => packet.cmd === 'puback' && (packet.reasonCode ?? 0)),
      [0],
    );
    assert.deepEqual(messages(await watcher.sync()), ['own/ada/x y']);
    assert.equal(broker.stats.refused, 3);
    assert.equal(broker.retained.count, 0);
    assert.equal(capture.taken.length, 1);
  });

  test(`only what is covered is granted, MQTT ${version}`, async (t) => {
    const { tcp, broker } = await start(t, [deny('a/secret'), allow('a/#')]);
    const client = await WireClient.connect(t, tcp.port, as('ada', { version }));
    const asked = ['a/#', 'a/secret', '#', '+/x', 'b', 'MQfile/#'].map((topic) => ({
      topic,
      qos: 1 as const,
    }));
    const no = version === 5 ? 0x87 : 0x80;
    assert.deepEqual(await client.subscribe(asked), [1, no, no, no, no, 1]);
    assert.equal(broker.router.subscriptionCount, 2);
  });
}

test('a will on a topic that its client may not publish to is not published', async (t) => {
  const { tcp } = await start(t, [ROOT, allow('own/#')]);
  const watcher = await WireClient.connect(t, tcp.port, as('root'));
  await watcher.subscribe('#');
  for (const topic of ['other', 'own/x', '$SYS/x', 'MQfile/x']) {
    const will = { topic, payload: Buffer.from('gone'), qos: 0 as const, retain: false };
    const client = await WireClient.open(t, tcp.port);
    client.send(client.connectPacket(as('ada', { will })));
    await client.next();
    if (!client.conn.destroyed) await client.break();
  }
  assert.deepEqual(payloads([await watcher.next()]), ['gone']);
  assert.deepEqual(await watcher.sync(), []);
});

test('what is denied of a granted filter is delivered neither live nor as retained', async (t) => {
  const { tcp } = await start(t, [ROOT, deny('a/secret/#', { user: 'ada' }), allow('a/#')]);
  const root = await WireClient.connect(t, tcp.port, as('root'));
  for (const topic of ['a/secret', 'a/secret/x', 'a/open'])
    root.publish({ topic, payload: '1', retain: true });
  await root.sync();
  const ada = await WireClient.connect(t, tcp.port, as('ada'));
  const bob = await WireClient.connect(t, tcp.port, as('bob'));
  for (const client of [ada, bob]) assert.deepEqual(await client.subscribe([{ topic: 'a/#', qos: 1 }]), [1]);
  for (const qos of [0, 1] as const) {
    for (const topic of ['a/secret', 'a/secret/x', 'a/open']) root.publish({ topic, payload: `${qos}`, qos });
  }
  await root.sync();
  assert.deepEqual(messages(await ada.sync()), ['a/open 1', 'a/open 0', 'a/open 1']);
  assert.equal(messages(await bob.sync()).length, 9);
});

test('a change of rules takes live subscriptions back, and gives none', async (t) => {
  const { tcp, broker, change } = await start(t, [ROOT, allow('a/#'), allow('b/#')]);
  const root = await WireClient.connect(t, tcp.port, as('root'));
  const ada = await WireClient.connect(t, tcp.port, as('ada'));
  await ada.subscribe([{ topic: 'a/#' }, { topic: 'a/x' }, { topic: 'b/#' }]);
  const publish = async () => {
    for (const topic of ['a/x', 'a/y', 'b/x', 'b/secret']) root.publish({ topic });
    await root.sync();
    return messages(await ada.sync()).map((one) => one.trim());
  };
  assert.deepEqual(await publish(), ['a/x', 'a/y', 'b/x', 'b/secret']);
  await change([ROOT, allow('a/x'), deny('b/secret'), allow('b/#')]);
  assert.equal(broker.router.subscriptionCount, 2);
  assert.deepEqual(await publish(), ['a/x', 'b/x']);
  await change([ROOT]);
  assert.equal(broker.router.subscriptionCount, 0);
  await change([ROOT, allow('a/#'), allow('b/#')]);
  assert.deepEqual(await publish(), []);
});

for (const version of [4, 5] as const) {
  test(`what waits for a client that is away is not for it any more when the rules have changed, MQTT ${version}`, async (t) => {
    const { tcp, broker, change } = await start(t, [ROOT, allow('a/#')]);
    const root = await WireClient.connect(t, tcp.port, as('root'));
    const first = await WireClient.connect(t, tcp.port, lasting(version, as('ada')));
    await first.subscribe([{ topic: 'a/#', qos: 2 }]);
    await leave(first, broker);
    for (let i = 0; i < 10; i++) {
      root.publish({ topic: i % 2 ? 'a/secret' : 'a/open', payload: `${i}`, qos: i % 3 === 0 ? 2 : 1 });
    }
    await root.sync();
    assert.equal(broker.sessions.get('c')!.backlog.messages, 10);
    await change([ROOT, deny('a/secret'), allow('a/#')]);
    const again = await WireClient.connect(t, tcp.port, lasting(version, as('ada')));
    assert.deepEqual(payloads(await takeAll(again, 5)), ['0', '2', '4', '6', '8']);
    assert.deepEqual(await again.sync(), []);
    assert.equal(broker.sessions.get('c')!.backlog.messages, 0);
    await leave(again, broker);
    await change([ROOT, allow('a/open')]);
    const third = await WireClient.connect(t, tcp.port, lasting(version, as('ada')));
    root.publish({ topic: 'a/open', qos: 1 });
    await root.sync();
    assert.deepEqual(await third.sync(), []);
    assert.equal(broker.router.subscriptionCount, 0);
  });

  test(`whoever takes over a client id gets nothing that it may not read itself, MQTT ${version}`, async (t) => {
    const { tcp, broker } = await start(t, [ROOT, allow('a/#', { user: 'ada' }), allow('a/open')]);
    const root = await WireClient.connect(t, tcp.port, as('root'));
    const ada = await WireClient.connect(t, tcp.port, lasting(version, as('ada')));
    await ada.subscribe([
      { topic: 'a/#', qos: 1 },
      { topic: 'a/open', qos: 1 },
    ]);
    await leave(ada, broker);
    for (const topic of ['a/secret', 'a/open']) root.publish({ topic, qos: 1, payload: 'x' });
    await root.sync();
    const bob = await WireClient.connect(t, tcp.port, lasting(version, as('bob')));
    assert.deepEqual(messages(await takeAll(bob, 1)), ['a/open x']);
    root.publish({ topic: 'a/secret', qos: 1 });
    root.publish({ topic: 'a/open', qos: 1, payload: 'y' });
    await root.sync();
    assert.deepEqual(messages(await takeAll(bob, 1)), ['a/open y']);
    assert.deepEqual([...broker.sessions.get('c')!.subscriptions.keys()], ['a/open']);
  });
}

test('nor is what waits behind the window of a connected client', async (t) => {
  const { tcp, broker, change } = await start(t, [ROOT, allow('a/#')]);
  const root = await WireClient.connect(t, tcp.port, as('root'));
  const ada = await WireClient.connect(
    t,
    tcp.port,
    as('ada', { properties: { receiveMaximum: 1 }, clientId: 'c' }),
  );
  await ada.subscribe([{ topic: 'a/#', qos: 1 }]);
  for (const topic of ['a/1', 'a/secret', 'a/2', 'a/secret', 'a/3']) root.publish({ topic, qos: 1 });
  await root.sync();
  const { outbox } = broker.sessions.get('c')!;
  await until(() => outbox!.waitingMessages === 4);
  await change([ROOT, deny('a/secret'), allow('a/#')]);
  assert.deepEqual(messages(await takeAll(ada, 3)), ['a/1 ', 'a/2 ', 'a/3 ']);
  assert.deepEqual(await ada.sync(), []);
});

test('hostile names get nothing by the rules for names', async (t) => {
  const { tcp } = await start(t, [allow('own/${username}/#'), allow('${clientId}/#')]);
  for (const name of ['+', '#', 'a/b', '$SYS', '__proto__']) {
    const client = await WireClient.connect(t, tcp.port, as(name, { clientId: name }));
    const asked = ['own/+/x', 'own/#', 'own/a/b', '#', '+/x', 'a/b'].map((topic) => ({
      topic,
      qos: 0 as const,
    }));
    assert.deepEqual(await client.subscribe(asked), [0x87, 0x87, 0x87, 0x87, 0x87, 0x87], name);
  }
  const own = await WireClient.connect(t, tcp.port, as('__proto__', { clientId: 'constructor' }));
  assert.deepEqual(
    await own.subscribe([
      { topic: 'own/__proto__/#', qos: 0 },
      { topic: 'constructor/x', qos: 0 },
    ]),
    [0, 0],
  );
});

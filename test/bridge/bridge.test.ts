import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Bridge, type LocalBroker } from '../../src/bridge/bridge.js';
import { HOPS } from '../../src/bridge/hops.js';
import type { IncomingMessage } from '../../src/bridge/incoming.js';
import type { LocalMessage } from '../../src/bridge/outgoing.js';
import { parseConfig } from '../../src/config/schema.js';
import { BROKER_ID, CLIENT_ID, FakeTime, MemoryLog } from './fixture.js';
import { isBridge, ScriptedRemote } from './scripted-remote.js';

/** The broker, as a test sees it. */
class FakeBroker implements LocalBroker {
  readonly published: IncomingMessage[] = [];
  readonly states: string[] = [];
  filters: readonly string[] = [];
  take: (message: LocalMessage) => void = () => {};
  /** Called instead of capturing at once. */
  capture: (message: IncomingMessage, done: (error?: Error | null) => void) => void = (_message, done) =>
    done();

  publish(message: IncomingMessage, clientId: string, done: (error?: Error | null) => void): void {
    assert.equal(clientId, CLIENT_ID);
    this.published.push({ ...message, payload: Buffer.from(message.payload) });
    this.capture(message, done);
  }

  subscribe(filters: readonly string[], take: (message: LocalMessage) => void): () => void {
    this.filters = filters;
    this.take = take;
    return () => {};
  }

  showState(name: string, connected: boolean): void {
    this.states.push(`${name} ${connected}`);
  }
}

const IN = [{ filter: 'there/#', remove: 'there/', add: 'here/' }];
const OUT = [{ filter: 'a/#' }];

interface Rig {
  readonly remote: ScriptedRemote;
  readonly bridge: Bridge;
  readonly broker: FakeBroker;
  readonly time: FakeTime;
  readonly log: MemoryLog;
  readonly files: Map<string, string>;
}

async function rig(t: TestContext, more: object = {}): Promise<Rig> {
  const remote = await ScriptedRemote.start(t);
  const { bridges } = parseConfig({ bridges: [{ name: 'cloud', url: remote.url, ...more }] } as never);
  const broker = new FakeBroker();
  const time = new FakeTime();
  const log = new MemoryLog();
  const files = new Map<string, string>();
  const bridge = new Bridge(
    { ...bridges[0]!, packetBytes: 1_000_000 },
    {
      brokerId: BROKER_ID,
      local: broker,
      stream: null,
      readFile: async (path) => {
        const text = files.get(path);
        if (text === undefined) throw new Error(`ENOENT: ${path}`);
        return Buffer.from(text);
      },
      time,
      random: () => 0.5,
      log,
    },
  );
  t.after(() => bridge.close());
  return { remote, bridge, broker, time, log, files };
}

/** Connected and subscribed. */
async function connected(t: TestContext, more: object): Promise<Rig> {
  const started = await rig(t, more);
  started.bridge.start();
  await started.log.seen('info', /is connected/);
  return started;
}

const incoming = (topic: string, payload: string, messageId: number, more: object = {}) => {
  return { cmd: 'publish', topic, payload, qos: 1, messageId, retain: false, dup: false, ...more };
};

test('CONNECT and SUBSCRIBE say what is configured', async (t) => {
  const { remote, bridge, files, log, broker } = await rig(t, {
    username: 'car',
    passwordFile: 'secret',
    keepAlive: '90s',
    sessionExpiry: '2h',
    in: [...IN, { filter: 'low/#', qos: 0 }],
  });
  files.set('secret', 'pass word\nnext line\n');
  bridge.start();
  await log.seen('info', /is connected/);
  const [connect] = remote.all('connect');
  assert.equal(connect!.protocolVersion, 5);
  assert.equal(isBridge(connect!), false);
  assert.equal(connect!.clientId, `mqtt-stream-cloud-${BROKER_ID}`);
  assert.equal(connect!.username, 'car');
  assert.equal(String(connect!.password), 'pass word');
  assert.equal(connect!.keepalive, 90);
  assert.equal(connect!.clean, false);
  assert.equal(connect!.properties?.sessionExpiryInterval, 7200);
  assert.equal(connect!.properties?.maximumPacketSize, 1_000_000);
  const asked = remote.all('subscribe').flatMap(({ subscriptions }) => subscriptions);
  assert.deepEqual(
    asked.map(({ topic, qos, nl, rap, rh }) => [topic, qos, nl, rap, rh]),
    [
      ['there/#', 1, true, true, 1],
      ['low/#', 0, true, true, 1],
    ],
  );
  assert.deepEqual(broker.states, ['cloud false', 'cloud true']);
  assert.ok(!JSON.stringify(log.lines).includes('pass word'));
});

test('with MQTT 3.1.1 it says that it is a bridge, unless told not to', async (t) => {
  const yes = await connected(t, { protocolVersion: 4, clientId: 'me', out: OUT });
  const [connect] = yes.remote.all('connect');
  assert.equal(connect!.protocolVersion, 4);
  assert.equal(connect!.clientId, 'me');
  assert.equal(isBridge(connect!), true);
  const no = await connected(t, { protocolVersion: 4, bridgeMode: false, out: OUT });
  assert.equal(isBridge(no.remote.all('connect')[0]!), false);
});

test('what comes in is acknowledged when it is captured, one after the other', async (t) => {
  const { remote, broker } = await connected(t, { in: IN });
  const held: (() => void)[] = [];
  broker.capture = (_message, done) => void held.push(done);
  remote.send(
    incoming('there/x', 'one', 1, {
      retain: true,
      properties: { contentType: 'c', subscriptionIdentifier: 5, userProperties: { k: 'v' } },
    }),
  );
  remote.send(incoming('there/y', 'two', 2));
  remote.send({ cmd: 'pingresp' });
  while (held.length === 0) await new Promise(setImmediate);
  assert.equal(remote.all('puback').length, 0);
  held[0]!();
  await remote.got('puback', 1);
  while (held.length === 1) await new Promise(setImmediate);
  held[1]!();
  const pubacks = await remote.got('puback', 2);
  assert.deepEqual(
    pubacks.map(({ messageId }) => messageId),
    [1, 2],
  );
  const [one, two] = broker.published;
  assert.deepEqual([one!.topic, String(one!.payload), one!.qos, one!.retain], ['here/x', 'one', 1, true]);
  assert.equal(one!.properties?.contentType, 'c');
  assert.equal(one!.properties?.userProperties?.k, 'v');
  assert.equal(one!.properties?.subscriptionIdentifier, undefined);
  assert.deepEqual([two!.topic, String(two!.payload)], ['here/y', 'two']);
});

test('what could not be captured is not acknowledged: it comes again', async (t) => {
  const { remote, broker, log, time } = await connected(t, { in: IN });
  broker.capture = (_message, done) => done(new Error('no room'));
  remote.send(incoming('there/x', 'one', 1));
  await log.seen('warn', /lost its connection/);
  assert.equal(remote.all('puback').length, 0);
  assert.equal(log.lines.find(({ level }) => level === 'warn')!.fields.reason, 'no room');
  broker.capture = (_message, done) => done();
  time.advance(1000);
  await log.seen('info', /is connected/, 2);
  remote.send(incoming('there/x', 'one', 1, { dup: true }));
  await remote.got('puback');
  assert.equal(broker.published.length, 2);
});

test('what comes back, is reserved here or was not asked for is acknowledged and not published', async (t) => {
  const { remote, bridge, broker, log } = await connected(t, {
    in: [...IN, { filter: 'own/#', remove: 'own/', add: '$SYS/' }],
  });
  remote.send(
    incoming('there/x', 'back', 1, { properties: { userProperties: { [HOPS]: ['x', BROKER_ID] } } }),
  );
  remote.send(incoming('own/x', 'reserved', 2));
  remote.send(incoming('other/x', 'of an earlier configuration', 3));
  remote.send(incoming('there/x', 'no response topic', 5, { properties: { responseTopic: 'a/#' } }));
  remote.send(incoming('there/x', 'good', 4, { properties: { userProperties: { [HOPS]: 'x' } } }));
  await remote.got('puback', 5);
  assert.deepEqual(
    broker.published.map(({ payload }) => String(payload)),
    ['good'],
  );
  assert.deepEqual([bridge.stats.loops, bridge.stats.refused, bridge.stats.received], [1, 2, 4]);
  assert.equal(log.count('warn', /cannot be published here/), 2);
});

test('what is published goes out; MQTT 3.1.1 has no properties', async (t) => {
  for (const protocolVersion of [4, 5]) {
    const { remote, broker, bridge } = await connected(t, { protocolVersion, out: OUT });
    assert.deepEqual(broker.filters, ['a/#']);
    const properties = { contentType: 'c' };
    const common = { retain: true, clientId: 'car', secondsLeft: 9.5, properties };
    broker.take({ topic: 'a/b', payload: Buffer.from('one'), qos: 2, ...common });
    const [sent] = await remote.got('publish');
    assert.deepEqual([sent!.topic, String(sent!.payload), sent!.qos, sent!.retain], ['a/b', 'one', 1, true]);
    if (protocolVersion === 5) {
      assert.equal(sent!.properties?.contentType, 'c');
      assert.equal(sent!.properties?.messageExpiryInterval, 10);
      assert.equal(sent!.properties?.userProperties?.[HOPS], BROKER_ID);
    }
    while (bridge.stats.sent === 0) await new Promise(setImmediate);
    assert.equal(bridge.stats.bytesSent, 3);
  }
});

test('a refusal is logged once a reason, and tried again ever later', async (t) => {
  const { remote, bridge, log, time, broker } = await rig(t, {
    out: OUT,
    reconnect: { min: '1s', max: '5s' },
  });
  remote.script = { connack: { reasonCode: 0x87 } };
  bridge.start();
  // Half of the jitter: between all and half of the pause.
  for (const [attempt, pause] of [750, 1500, 3000, 3750, 3750].entries()) {
    await remote.got('connect', attempt + 1);
    while (time.due.length === 0) await new Promise(setImmediate);
    assert.deepEqual(time.due, [pause]);
    time.advance(pause);
  }
  assert.equal(log.count('warn', /cannot connect/), 1);
  assert.match(String(log.lines[0]!.fields.err), /Not authorized/);
  assert.equal(log.lines[0]!.fields.code, 'BROKER_UNREACHABLE');
  remote.script = { connack: { reasonCode: 0x88 } };
  await log.seen('warn', /cannot connect/, 2);
  remote.script = {};
  time.advance(5000);
  await log.seen('info', /is connected/);
  assert.deepEqual(broker.states, ['cloud false', 'cloud true']);
  remote.drop();
  await log.seen('warn', /lost its connection/);
  assert.deepEqual(time.due, [750], 'from the beginning');
});

test('a file that is missing, and what is no MQTT, are reasons like others', async (t) => {
  const { remote, bridge, log, time, files } = await rig(t, {
    out: OUT,
    username: 'car',
    passwordFile: 'secret',
  });
  bridge.start();
  await log.seen('warn', /cannot connect/);
  assert.match(String(log.lines[0]!.fields.err), /ENOENT: secret/);
  files.set('secret', 'p');
  remote.script = { garbage: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') };
  time.advance(1000);
  await log.seen('warn', /cannot connect/, 2);
  remote.script = {};
  time.advance(2000);
  await log.seen('info', /is connected/);
});

test('a session that lasted keeps its subscriptions, and one that was refused is asked for again', async (t) => {
  const { remote, log, time } = await connected(t, { in: IN });
  remote.script = { connack: { sessionPresent: true } };
  remote.drop();
  await log.seen('warn', /lost/);
  time.advance(1000);
  await log.seen('info', /is connected/, 2);
  assert.equal(remote.all('subscribe').length, 1);
  remote.script = { connack: { sessionPresent: false }, granted: [0x87] };
  remote.drop();
  await log.seen('warn', /lost/, 2);
  time.advance(1000);
  await log.seen('info', /is connected/, 3);
  assert.equal(log.count('error', /refused a subscription/), 1);
  remote.script = { connack: { sessionPresent: true } };
  remote.drop();
  await log.seen('warn', /lost/, 3);
  time.advance(1000);
  await log.seen('info', /is connected/, 4);
  assert.equal(remote.all('subscribe').length, 3);
});

test('the end waits for acknowledgements and says DISCONNECT', async (t) => {
  const { remote, bridge, broker, time } = await connected(t, { out: OUT });
  remote.script = { acknowledges: false };
  const common = { retain: false, clientId: null, secondsLeft: undefined, properties: undefined };
  broker.take({ topic: 'a/b', payload: Buffer.from('one'), qos: 1, ...common });
  const [sent] = await remote.got('publish');
  const closed = bridge.close();
  remote.send({ cmd: 'puback', messageId: sent!.messageId });
  await closed;
  await remote.got('disconnect');
  assert.equal(bridge.stats.sent, 1);
  assert.deepEqual(broker.states, ['cloud false', 'cloud true', 'cloud false']);
  assert.deepEqual(time.due, []);
});

test('the end in the middle of connecting', async (t) => {
  const { remote, bridge, time } = await rig(t, { out: OUT });
  remote.script = { garbage: Buffer.alloc(0) };
  bridge.start();
  await remote.got('connect');
  await bridge.close();
  time.advance(100_000);
  assert.equal(remote.all('connect').length, 1);
});

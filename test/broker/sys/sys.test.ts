/** `$SYS` as clients see it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeCapture } from '../fake-capture.js';
import { startBroker } from '../fixture.js';
import { messages, WireClient } from '../wire-client.js';

const sys = { version: '1.2.3', interval: 3_600_000, clientStatus: false };

test('a new subscriber gets the latest values at once, as retained ones, then what changes', async (t) => {
  const { tcp, broker } = await startBroker(t, { sys });
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe([{ topic: '$SYS/broker/clients/+', qos: 2 }, { topic: '$SYS/broker/version' }]);
  const kept = await client.sync();
  assert.equal(kept.length, 8);
  assert.ok(kept.every((packet) => packet.cmd === 'publish' && packet.retain && packet.qos === 0));
  assert.ok(messages(kept).includes('$SYS/broker/version mqtt-stream version 1.2.3'));
  assert.ok(messages(kept).includes('$SYS/broker/clients/total 0'));
  broker.sys.tree.publish();
  const live = await client.sync();
  assert.deepEqual(
    messages(live),
    ['total', 'active', 'connected', 'maximum'].map((name) => `$SYS/broker/clients/${name} 1`),
  );
  assert.ok(live.every((packet) => packet.cmd === 'publish' && !packet.retain));
  const later = await WireClient.connect(t, tcp.port);
  await later.subscribe([{ topic: '$SYS/broker/clients/total' }]);
  assert.deepEqual(messages(await later.sync()), ['$SYS/broker/clients/total 1']);
});

test('retain handling, and filters that begin with a wildcard', async (t) => {
  const { tcp, broker } = await startBroker(t, { sys });
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe([{ topic: '#' }, { topic: '+/broker/version' }, { topic: '+/#' }]);
  await client.subscribe([{ topic: '$SYS/broker/version', rh: 2 }]);
  broker.sys.tree.publish();
  assert.deepEqual(await client.sync(), []);
  await client.subscribe([{ topic: '$SYS/broker/version', rh: 1 }]);
  assert.deepEqual(await client.sync(), []);
  await client.subscribe([{ topic: '$SYS/broker/version', rh: 0 }]);
  assert.equal((await client.sync()).length, 1);
});

test('it is not captured, not stored, not counted as retained, gets no key and waits for nobody', async (t) => {
  const capture = new FakeCapture();
  let keys = 0;
  const { tcp, broker } = await startBroker(t, {
    sys,
    capture,
    keys: { look: () => {}, give: () => ++keys },
  });
  const lasting = { clientId: 'lasting', clean: false, properties: { sessionExpiryInterval: 100 } };
  const client = await WireClient.connect(t, tcp.port, lasting);
  await client.subscribe([{ topic: '$SYS/#', qos: 2 }]);
  await client.sync();
  await client.break();
  const given = keys;
  broker.sys.tree.publish();
  assert.deepEqual(capture.taken, []);
  assert.equal(broker.retained.count, 0);
  assert.equal(keys, given);
  assert.equal(broker.sessions.get('lasting')!.backlog.messages, 0);
});

test('nothing is told by a broker that is not asked to', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe('$SYS/#');
  broker.publish({ topic: '$SYS/test/heartbeat', payload: 'test' }, null);
  const other = await WireClient.connect(t, tcp.port);
  await other.break();
  assert.deepEqual(await client.sync(), []);
});

test('what aedes tells itself it still hears, and so do functions of the process', async (t) => {
  const { tcp, broker } = await startBroker(t);
  assert.deepEqual(Object.keys(broker.brokers), []);
  const heard: string[] = [];
  broker.subscribe('$SYS/+/new/clients', ({ payload }, done) => {
    heard.push(payload.toString());
    done();
  });
  let finished = false;
  broker.publish({ topic: '$SYS/test/heartbeat', payload: 'test' }, () => {
    finished = true;
  });
  await WireClient.connect(t, tcp.port, { clientId: 'new' });
  assert.deepEqual(Object.keys(broker.brokers), ['test']);
  assert.deepEqual(heard, ['new']);
  assert.ok(finished);
});

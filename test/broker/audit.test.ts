/** What is written down of clients, where it happens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPEN_ACCESS } from '../../src/broker/access/access.js';
import { startBroker, until } from './fixture.js';
import { WireClient } from './wire-client.js';

const WHO = { client: 'c', user: 'u', address: '127.0.0.1' };

for (const version of [4, 5] as const) {
  test(`a client comes, is denied, and goes, MQTT ${version}`, async (t) => {
    const { tcp, broker, audited } = await startBroker(t);
    const client = await WireClient.connect(t, tcp.port, { version, clientId: 'c', username: 'u' });
    client.publish({ topic: '$SYS/x' });
    client.publish({ topic: 'a' });
    await client.subscribe([{ topic: 'a' }, { topic: 'a#' }]);
    client.send({ cmd: 'disconnect' });
    await until(() => broker.stats.connections === 0);
    assert.deepEqual(audited, [
      { audit: 'connected', ...WHO, version, clean: true },
      { audit: 'publish-denied', ...WHO, topic: '$SYS/x', code: 0x87 },
      { audit: 'subscribe-denied', ...WHO, topic: 'a#', code: version === 5 ? 0x8f : 0x80 },
      { audit: 'disconnected', ...WHO, code: 0, reason: 'the client said goodbye' },
    ]);
  });
}

test('why a connection ends', async (t) => {
  const { tcp, broker, audited } = await startBroker(t);
  const ends = async () => {
    await until(() => broker.stats.connections === 0);
    const [connected, end, more] = audited.splice(0);
    assert.deepEqual([connected.audit, end.audit, more], ['connected', 'disconnected', undefined]);
    return end.audit === 'disconnected' ? [end.code, end.reason] : [];
  };
  const lost = await WireClient.connect(t, tcp.port);
  await lost.break();
  assert.deepEqual(await ends(), [0x80, 'the connection was lost']);
  for (const [version, code] of [
    [4, 0x80],
    [5, 0x81],
  ] as const) {
    const broken = await WireClient.connect(t, tcp.port, { version });
    broken.sendBytes(Buffer.of(0x36, 6, 0, 1, 97, 0, 1, 0));
    assert.deepEqual(await ends(), [code, 'there is no QoS 3 [MQTT-3.3.1-4]']);
  }
});

test('who does not get in', async (t) => {
  const { tcp, broker, audited } = await startBroker(t, { limits: { connections: 1 } });
  const nobody = { client: null, user: null, address: '127.0.0.1' };
  const wrong = await WireClient.open(t, tcp.port);
  wrong.send({ cmd: 'pingreq' });
  await wrong.ended;
  await until(() => broker.stats.connections === 0);
  assert.equal(audited.length, 1);
  const [{ audit, ...refused }] = audited.splice(0);
  assert.equal(audit, 'refused');
  assert.deepEqual({ ...refused, reason: '' }, { ...nobody, reason: '' });

  const silent = await WireClient.open(t, tcp.port);
  await until(() => broker.stats.connections === 1);
  const second = await WireClient.open(t, tcp.port);
  await second.ended;
  assert.deepEqual(audited.splice(0), [{ audit: 'refused', ...nobody, reason: 'too many connections' }]);
  await silent.break();
  await until(() => broker.stats.connections === 0);
  assert.deepEqual(audited, [], 'who says nothing is nobody');
});

test('whose credentials are not accepted', async (t) => {
  const authenticate = async () => ({ allowed: false, reason: 0x86 }) as const;
  const { tcp, broker, audited } = await startBroker(t, { access: { ...OPEN_ACCESS, authenticate } });
  const client = await WireClient.open(t, tcp.port);
  const connack = await client.connect({ clientId: 'c', username: 'u', password: Buffer.from('secret') });
  assert.equal(connack.reasonCode, 0x86);
  await client.ended;
  await until(() => broker.stats.connections === 0);
  const reason = 'its credentials are not accepted';
  assert.deepEqual(audited, [{ audit: 'refused', ...WHO, reason }]);
});

for (const version of [4, 5] as const) {
  test(`a client that connects again, MQTT ${version}`, async (t) => {
    const { tcp, broker, audited } = await startBroker(t);
    const who = { version, clientId: 'c', username: 'u' };
    const first = await WireClient.connect(t, tcp.port, who);
    await WireClient.connect(t, tcp.port, who);
    await first.ended;
    await until(() => audited.length === 3);
    const end = audited.find(({ audit }) => audit === 'disconnected');
    const reason = 'the client connected again';
    assert.deepEqual(end, { audit: 'disconnected', ...WHO, code: 0x8e, reason });
    assert.equal(broker.stats.connections, 1);
  });
}

test('a will that its client may not publish', async (t) => {
  const { tcp, audited } = await startBroker(t);
  const will = { topic: '$SYS/x', payload: Buffer.from('x'), qos: 0, retain: false } as const;
  const client = await WireClient.connect(t, tcp.port, { clientId: 'c', username: 'u', will });
  await client.break();
  await until(() => audited.length === 3);
  assert.deepEqual(
    audited.find(({ audit }) => audit === 'publish-denied'),
    { audit: 'publish-denied', ...WHO, topic: '$SYS/x', code: 0x87 },
  );
});

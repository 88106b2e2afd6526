import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { bridge, bridgeUp, connected, inbox, RECONNECT } from './bridge-fixture.js';
import { Mosquitto, NO_MOSQUITTO } from './mosquitto.js';
import { startBroker } from './process.js';

const run = promisify(execFile);
const STREAM = { name: 'vehicle', topics: ['vehicle/#'] };

test('both directions, with other names on the other side', { skip: NO_MOSQUITTO }, async (t) => {
  const remote = await Mosquitto.start(t);
  const broker = await startBroker(t, [STREAM], {
    config: {
      bridges: [
        bridge(remote, {
          out: [{ filter: 'vehicle/#', remove: 'vehicle/', add: 'fleet/7/' }],
          in: [{ filter: 'fleet/7/command/#', remove: 'fleet/7/', add: 'vehicle/' }],
        }),
      ],
    },
  });
  await bridgeUp(t, broker);
  const there = await connected(t, `mqtt://127.0.0.1:${remote.port}`);
  const here = await connected(t, broker.tcp);
  const atRemote = await inbox(there, 'fleet/#');
  const atHome = await inbox(here, 'vehicle/#');
  await here.publishAsync('vehicle/speed', '87', {
    qos: 2,
    retain: true,
    properties: { contentType: 'text/plain', userProperties: { unit: 'km/h' } },
  });
  await atRemote.until(() => atRemote.packets.length === 1);
  const [got] = atRemote.packets;
  assert.equal(got.topic, 'fleet/7/speed');
  assert.equal(got.payload.toString(), '87');
  assert.equal(got.qos, 1);
  assert.equal(got.retain, true);
  assert.equal(got.properties?.contentType, 'text/plain');
  assert.equal(got.properties?.userProperties?.unit, 'km/h');

  await there.publishAsync('fleet/7/command/stop', 'now', { qos: 1 });
  await atHome.until(() => atHome.topics.includes('vehicle/command/stop'));
  // It has been captured, and has not gone back: the next one out is the next one there.
  await here.publishAsync('vehicle/last', '', { qos: 1 });
  await atRemote.until(() => atRemote.topics.includes('fleet/7/last'));
  assert.deepEqual(atRemote.topics, ['fleet/7/speed', 'fleet/7/command/stop', 'fleet/7/last']);
  assert.deepEqual(atHome.topics, ['vehicle/speed', 'vehicle/command/stop', 'vehicle/last']);
});

for (const protocolVersion of [4, 5]) {
  test(`the same topics in both directions do not go round, MQTT ${protocolVersion}`, {
    skip: NO_MOSQUITTO,
  }, async (t) => {
    const remote = await Mosquitto.start(t);
    const rules = [{ filter: 'both/#' }];
    const broker = await startBroker(t, [], {
      config: { bridges: [bridge(remote, { protocolVersion, in: rules, out: rules })] },
    });
    await bridgeUp(t, broker);
    const there = await connected(t, `mqtt://127.0.0.1:${remote.port}`);
    const here = await connected(t, broker.tcp);
    const atRemote = await inbox(there, 'both/#');
    const atHome = await inbox(here, 'both/#');
    await here.publishAsync('both/a', 'from here', { qos: 1 });
    await atRemote.until(() => atRemote.packets.length === 1);
    await there.publishAsync('both/b', 'from there', { qos: 1 });
    await atHome.until(() => atHome.packets.length === 2);
    await here.publishAsync('both/c', 'end', { qos: 1 });
    await atRemote.until(() => atRemote.topics.includes('both/c'));
    await there.publishAsync('both/d', 'end', { qos: 1 });
    await atHome.until(() => atHome.topics.includes('both/d'));
    assert.deepEqual(atRemote.topics, ['both/a', 'both/b', 'both/c', 'both/d']);
    assert.deepEqual(atHome.topics, ['both/a', 'both/b', 'both/c', 'both/d']);
  });
}

test('TLS: the certificate of the other broker is checked, and ours shown', {
  skip: NO_MOSQUITTO,
}, async (t) => {
  let files = '';
  const remote = await Mosquitto.start(t, async (folder) => {
    files = folder;
    await certificates(folder);
    return [
      `cafile ${folder}/ca.crt`,
      `certfile ${folder}/server.crt`,
      `keyfile ${folder}/server.key`,
      'require_certificate true',
      'use_identity_as_username true',
    ];
  });
  const pem = (name: string) => join(files, name);
  const tls = { ca: pem('ca.crt'), cert: pem('client.crt'), key: pem('client.key') };
  const url = `mqtts://127.0.0.1:${remote.port}`;
  const broker = await startBroker(t, [], {
    config: {
      bridges: [
        { name: 'good', url, tls, reconnect: RECONNECT, out: [{ filter: 'a/#' }] },
        {
          name: 'bad',
          url,
          tls: { cert: tls.cert, key: tls.key },
          reconnect: RECONNECT,
          out: [{ filter: 'a/#' }],
        },
      ],
    },
  });
  await bridgeUp(t, broker, 'good');
  const metrics = await (await fetch(`${broker.http}/metrics`)).text();
  assert.match(metrics, /bridge_connected\{bridge="good"\} 1/);
  assert.match(metrics, /bridge_connected\{bridge="bad"\} 0/);
});

test('a password is read from its file, and a wrong one stops nobody', { skip: NO_MOSQUITTO }, async (t) => {
  const remote = await Mosquitto.start(t, async (folder) => {
    await run('mosquitto_passwd', ['-b', '-c', join(folder, 'passwords'), 'car', 'right']);
    return [`password_file ${folder}/passwords`, 'allow_anonymous false'];
  });
  const passwordFile = join(remote.folder, 'secret');
  await writeFile(passwordFile, 'wrong\n');
  const broker = await startBroker(t, [], {
    config: { bridges: [bridge(remote, { username: 'car', passwordFile, out: [{ filter: 'a/#' }] })] },
  });
  const here = await connected(t, broker.tcp);
  await here.publishAsync('a/b', 'waits', { qos: 1 });
  await writeFile(passwordFile, 'right\n');
  await bridgeUp(t, broker);
  const there = await connected(t, `mqtt://127.0.0.1:${remote.port}`, { username: 'car', password: 'right' });
  const all = await inbox(there, 'a/#');
  await here.publishAsync('a/b', 'goes', { qos: 1 });
  await all.until(() => all.payloads.includes('goes'));
});

async function certificates(folder: string): Promise<void> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=ca',
    '-days',
    '2',
  );
  for (const [name, subject] of [
    ['server', 'server'],
    ['client', 'car'],
  ]) {
    await openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${subject}`);
    await writeFile(join(folder, `${name}.ext`), 'subjectAltName=IP:127.0.0.1\n');
    const signing = [
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
    ];
    await openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...signing);
  }
}

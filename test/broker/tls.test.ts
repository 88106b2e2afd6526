/** MQTT over TLS, plain and in WebSockets: who gets in, who is told apart, and what a broken handshake does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFile, chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import mqtt, { type IClientOptions } from 'mqtt';
import type { Broker } from '../../src/broker/broker.js';
import { type Listener, listen } from '../../src/broker/listeners.js';
import { type PeerCertificate, peerCertificate, type TlsOptions } from '../../src/broker/tls.js';
import { MqttStreamError } from '../../src/errors.js';
import { Authority, contents, type Issued } from '../certificates.js';
import { type BrokerSettings, mqttClient, startBroker, type TestBroker, until } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

const PROTOCOLS = ['tls', 'wss'] as const;
type Protocol = (typeof PROTOCOLS)[number];

interface Secure extends TestBroker {
  readonly authority: Authority;
  readonly folder: string;
  readonly ca: Buffer;
  readonly server: Issued;
  open(protocol: Protocol, more?: Partial<TlsOptions>): Promise<Listener>;
  /** What the streams that came in show. */
  readonly peers: (PeerCertificate | null)[];
}

async function secureBroker(t: TestContext, settings: BrokerSettings = {}): Promise<Secure> {
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-tls-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const authority = await Authority.create(folder);
  const server = await authority.server();
  const started = await startBroker(t, settings);
  const { broker } = started;
  const peers: (PeerCertificate | null)[] = [];
  spyOnStreams(broker, (stream) => peers.push(peerCertificate(stream)));
  return {
    ...started,
    authority,
    folder,
    server,
    ca: await readFile(authority.ca),
    peers,
    open: async (protocol, more = {}) => {
      const tls: TlsOptions = { ...server, requireClientCert: false, minVersion: 'TLSv1.2', ...more };
      const listener = await listen(broker, { protocol, host: '127.0.0.1', port: 0, tls });
      t.after(() => listener.close());
      return listener;
    },
  };
}

function spyOnStreams(broker: Broker, seen: (stream: Duplex) => void): void {
  const { handle } = broker;
  broker.handle = (stream) => {
    seen(stream);
    return handle.call(broker, stream);
  };
}

async function issued(authority: Authority, name: string): Promise<IClientOptions> {
  return contents(await authority.issue(name));
}

function connects(t: TestContext, { url }: Listener, options: IClientOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const client = mqtt.connect(url, { reconnectPeriod: 0, protocolVersion: 5, ...options });
    t.after(() => client.endAsync(true));
    client.once('connect', () => resolve(true));
    client.once('close', () => resolve(false));
    client.on('error', () => {});
  });
}

for (const protocol of PROTOCOLS) {
  test(`messages over ${protocol}, of every QoS and larger than a TLS record`, async (t) => {
    const { open, ca, peers } = await secureBroker(t);
    const listener = await open(protocol);
    assert.match(listener.url, protocol === 'tls' ? /^mqtts:\/\/127\.0\.0\.1:\d+$/ : /^wss:.*\/mqtt$/);
    const client = await mqttClient(t, listener, { ca });
    const got: number[] = [];
    client.on('message', (_topic, payload) => got.push(payload.length));
    await client.subscribeAsync('a', { qos: 2 });
    for (const qos of [0, 1, 2] as const)
      await client.publishAsync('a', Buffer.alloc(100_000 + qos), { qos });
    await until(() => got.length === 3);
    assert.deepEqual(got, [100_000, 100_001, 100_002]);
    assert.deepEqual(peers, [null]);
  });

  test(`requireClientCert: who has none, or one of somebody else, is not let in; ${protocol}`, async (t) => {
    const { open, ca, authority, folder, peers, broker, log } = await secureBroker(t);
    const listener = await open(protocol, { ca: authority.ca, requireClientCert: true });
    const stranger = await issued(await Authority.create(folder, 'elsewhere'), 'stranger');
    assert.equal(await connects(t, listener, { ca }), false);
    assert.equal(await connects(t, listener, { ca, ...stranger }), false);
    await until(() => broker.stats.tlsFailures === 2);
    assert.deepEqual(peers, []);
    const failures = log.lines.filter(({ text }) => text === 'a TLS handshake failed');
    for (const [i, reason] of [
      /peer did not return a certificate/,
      /UNABLE_TO_VERIFY_LEAF_SIGNATURE/,
    ].entries()) {
      assert.equal(failures[i]!.level, 'info');
      assert.match(JSON.stringify(failures[i]!.what), reason);
    }
    assert.equal(await connects(t, listener, { ca, ...(await issued(authority, 'camera')) }), true);
    assert.deepEqual(peers, [{ commonName: 'camera', altNames: [] }]);
  });

  test(`a certificate that is not required tells who a client is, if it is verified; ${protocol}`, async (t) => {
    const { open, ca, authority, folder, peers } = await secureBroker(t);
    const listener = await open(protocol, { ca: authority.ca });
    const stranger = await issued(await Authority.create(folder, 'elsewhere'), 'stranger');
    const named = await authority.issue('named', {
      subject: '/O=Vehicle/CN=radar/emailAddress=r@example',
      altNames: 'DNS:radar.vehicle,URI:urn:radar,email:radar@example,IP:10.0.0.1',
    });
    assert.equal(await connects(t, listener, { ca }), true);
    assert.equal(await connects(t, listener, { ca, ...stranger }), true);
    assert.equal(await connects(t, listener, { ca, ...(await contents(named)) }), true);
    assert.deepEqual(peers, [
      null,
      null,
      { commonName: 'radar', altNames: ['radar.vehicle', 'urn:radar', 'radar@example'] },
    ]);
  });

  test(`what is no TLS ends the connection and nothing else; ${protocol}`, async (t) => {
    const { open, ca, broker } = await secureBroker(t);
    const listener = await open(protocol);
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(20_000, 0x16),
      Buffer.of(0x10),
    ]) {
      const socket = connectSocket(listener.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      socket.end(bytes);
      await once(socket, 'close');
    }
    await until(() => broker.stats.tlsFailures === 3);
    // The length of a ClientHello, and a break.
    const broken = connectSocket(listener.port, '127.0.0.1');
    await once(broken, 'connect');
    await new Promise((resolve) => broken.write(Buffer.of(0x16, 3, 1, 2, 0, 1), resolve));
    broken.resetAndDestroy();
    await until(() => broker.stats.tlsFailures === 4);
    assert.equal(await connects(t, listener, { ca }), true);
  });

  test(`TLS below minVersion is refused; ${protocol}`, async (t) => {
    const { open, ca } = await secureBroker(t);
    const listener = await open(protocol, { minVersion: 'TLSv1.3' });
    const version = async (maxVersion: 'TLSv1.2' | 'TLSv1.3') => {
      const socket = connectTls({ port: listener.port, host: '127.0.0.1', ca, maxVersion });
      t.after(() => socket.destroy());
      await once(socket, 'secureConnect');
      return socket.getProtocol();
    };
    await assert.rejects(version('TLSv1.2'));
    assert.equal(await version('TLSv1.3'), 'TLSv1.3');
  });

  test(`renew: new connections see the new certificate, old ones live on; ${protocol}`, async (t) => {
    const { open, ca, server, authority } = await secureBroker(t);
    const listener = await open(protocol);
    const shown = async () => {
      const socket = connectTls({ port: listener.port, host: '127.0.0.1', ca });
      await once(socket, 'secureConnect');
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return CN;
    };
    const client = await mqttClient(t, listener, { ca });
    assert.equal(await shown(), 'server');
    const next = await authority.server('next');
    await copyFile(next.certificate, server.certificate);
    // The certificate without its key is of no use: the old ones stay.
    await assert.rejects(listener.renew(), { code: 'CREDENTIALS_INVALID' });
    assert.equal(await shown(), 'server');
    await copyFile(next.key, server.key);
    const use = await listener.renew();
    assert.equal(await shown(), 'server');
    use!();
    assert.equal(await shown(), 'next');
    await client.publishAsync('a', 'x', { qos: 1 });
  });
}

test('renew: who was verified by the authority of before is verified again, also by a session that goes on', async (t) => {
  const { open, ca, authority, folder, peers } = await secureBroker(t);
  const trusted = join(folder, 'trusted.pem');
  await copyFile(authority.ca, trusted);
  const listener = await open('tls', { ca: trusted, requireClientCert: true });
  const own = await contents(await authority.issue('camera'));
  let session: Buffer | undefined;
  const reach = async () => {
    const socket = connectTls({
      port: listener.port,
      host: '127.0.0.1',
      ca,
      ...own,
      ...(session && { session }),
    });
    t.after(() => socket.destroy());
    socket.on('session', (given) => {
      session = given;
    });
    await new WireClient(socket).connect();
    return socket.isSessionReused();
  };
  assert.equal(await reach(), false);
  assert.equal(await reach(), true);
  await copyFile((await Authority.create(folder, 'elsewhere')).ca, trusted);
  (await listener.renew())!();
  await assert.rejects(reach());
  const camera = { commonName: 'camera', altNames: [] };
  assert.deepEqual(peers, [camera, camera]);
});

test('a listener without TLS has nothing to renew', async (t) => {
  const { tcp, ws } = await startBroker(t);
  assert.equal(await tcp.renew(), null);
  assert.equal(await ws.renew(), null);
});

test('files that cannot be used: which one, and nothing listens', async (t) => {
  const { open, folder, server, authority } = await secureBroker(t);
  const other = await authority.issue('other');
  const locked = await authority.issue('locked', { passphrase: 'right' });
  const empty = join(folder, 'empty');
  const damaged = join(folder, 'damaged.pem');
  await writeFile(empty, '');
  await copyFile(server.certificate, damaged);
  await appendFile(damaged, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const cases: [Partial<TlsOptions>, string, string][] = [
    [{ certificate: join(folder, 'none') }, 'CREDENTIALS_UNREADABLE', 'none'],
    [{ key: folder }, 'CREDENTIALS_UNREADABLE', folder],
    [{ certificate: empty }, 'CREDENTIALS_INVALID', 'empty'],
    [{ certificate: server.key }, 'CREDENTIALS_INVALID', 'server.key'],
    [{ certificate: damaged }, 'CREDENTIALS_INVALID', 'damaged.pem'],
    [{ key: empty }, 'CREDENTIALS_INVALID', 'empty'],
    [{ key: other.key }, 'CREDENTIALS_INVALID', 'other.key'],
    [{ ca: empty, requireClientCert: true }, 'CREDENTIALS_INVALID', 'empty'],
    [{ ...locked }, 'CREDENTIALS_INVALID', 'locked.key'],
    [{ ...locked, keyPassphrase: 'wrong' }, 'CREDENTIALS_INVALID', 'locked.key'],
  ];
  for (const [tls, code, named] of cases) {
    await assert.rejects(open('tls', tls), (error: unknown) => {
      assert.ok(error instanceof MqttStreamError);
      assert.equal(error.code, code, named);
      assert.ok(error.message.includes(named), error.message);
      return true;
    });
  }
  await open('tls', { ...locked, keyPassphrase: 'right' });
});

test('a private key that every user can read is told', async (t) => {
  const { open, server, log } = await secureBroker(t);
  const warnings = () => log.lines.filter(({ level }) => level === 'warn');
  await chmod(server.key, 0o640);
  await open('tls');
  assert.deepEqual(warnings(), []);
  await chmod(server.key, 0o644);
  await open('tls');
  assert.deepEqual(
    warnings().map(({ what }) => what),
    [{ file: server.key }],
  );
});

test('a WireClient over TLS: packets in pieces of any size', async (t) => {
  const { open, ca } = await secureBroker(t);
  const { port } = await open('tls');
  const socket = connectTls({ port, host: '127.0.0.1', ca });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  const client = new WireClient(socket);
  await client.connect();
  await client.subscribe('a');
  const bytes = client.encode(client.publishPacket({ topic: 'a', payload: 'in pieces' }));
  for (const byte of bytes) client.sendBytes(Buffer.of(byte));
  assert.deepEqual(payloads(await client.sync()), ['in pieces']);
});

for (const protocol of PROTOCOLS) {
  test(`without a handshake, and without CONNECT after it, a connection is ended after connectTimeout; ${protocol}`, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { open, ca, broker } = await secureBroker(t, { limits: { connectTimeout: 3000 } });
    const { port } = await open(protocol);
    const silent = connectSocket(port, '127.0.0.1');
    const greeted = connectTls({ port, host: '127.0.0.1', ca });
    const ends = [silent, greeted].map((socket) => {
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      socket.resume();
      return new Promise((resolve) => socket.once('close', resolve));
    });
    const ready = [once(silent, 'connect'), once(greeted, 'secureConnect')];
    await Promise.all(ready);
    t.mock.timers.tick(2999);
    assert.equal(silent.closed || greeted.closed, false);
    t.mock.timers.tick(1);
    await Promise.all(ends);
    assert.equal(broker.stats.connectTimeouts, 2);
  });
}

test('a client that has said CONNECT in time stays, over TLS and in WebSockets over it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { open, ca, broker } = await secureBroker(t, { limits: { connectTimeout: 3000 } });
  for (const protocol of PROTOCOLS) {
    const client = await mqttClient(t, await open(protocol), { ca, keepalive: 0 });
    await client.subscribeAsync(protocol);
    t.mock.timers.tick(10_000);
    await client.publishAsync(protocol, 'x', { qos: 1 });
  }
  assert.equal(broker.stats.connectTimeouts, 0);
});

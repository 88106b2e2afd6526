/** The whole broker with TLS only: transfer inside, certificates read again. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { createApp } from '../../src/app/app.js';
import { Authority } from '../certificates.js';
import { configOf, connected, publishMany, received, started, temporaryFolder } from './app-fixture.js';

async function rig(t: TestContext) {
  const folder = await temporaryFolder(t);
  const authority = await Authority.create(folder);
  const [first, second] = [await authority.server('first'), await authority.server('second')];
  const listeners = [
    { protocol: 'tls', port: 0, tls: { ...first, ca: authority.ca } },
    { protocol: 'wss', port: 0, tls: second },
    { protocol: 'tcp', port: 0 },
  ] as const;
  const config = configOf(join(folder, 'data'), { listeners: [...listeners] });
  const ca = await readFile(authority.ca);
  const shown = async (port: number) => {
    const socket = connectTls({ port, host: '127.0.0.1', ca });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return CN;
  };
  return { authority, first, second, config, ca, shown };
}

test('files of a search come over TLS, though the transfer client knows no host name', async (t) => {
  const { config, ca } = await rig(t);
  const { app, url } = await started(t, config);
  assert.match(url, /^mqtts:/);
  await publishMany(app, 'm', 5);
  await app.request('flush', { id: 'f', stream: 'vehicle' });
  const client = await connected(t, url, { ca });
  await client.subscribeAsync('ParquetFile/s/#', { qos: 1 });
  const files = received(client, 'ParquetFile/s/', 3);
  await app.request('search', { id: 's', stream: 'vehicle' });
  assert.deepEqual(
    (await files).map(({ topic }) => topic.split('/').at(-1)),
    ['init', '0', 'fin'],
  );
});

test('without any listener, too', async (t) => {
  const { config } = await rig(t);
  const { app } = await started(t, { ...config, listeners: [] });
  await publishMany(app, 'm', 5);
  await app.request('flush', { id: 'f', stream: 'vehicle' });
  const last = new Promise<void>((resolve) => {
    const take = ({ topic }: { topic: string }, done: () => void) => {
      done();
      if (topic.endsWith('/fin')) resolve();
    };
    app.broker.subscribe('ParquetFile/s/#', take as never);
  });
  await app.request('search', { id: 's', stream: 'vehicle' });
  await last;
});

test('reload: all certificates or none', async (t) => {
  const { config, first, second, shown, authority } = await rig(t);
  const { app } = await started(t, config);
  const [tls, wss] = app.listeners.map(({ port }) => port) as [number, number];
  const next = await authority.server('next');
  await copyFile(next.certificate, first.certificate);
  await copyFile(next.key, first.key);
  await rm(second.key);
  await assert.rejects(app.reload(), { code: 'CREDENTIALS_UNREADABLE' });
  assert.deepEqual([await shown(tls), await shown(wss)], ['first', 'second']);
  await copyFile(next.certificate, second.certificate);
  await copyFile(next.key, second.key);
  assert.deepEqual(await app.reload(), [
    `the certificate of mqtts://127.0.0.1:${tls}`,
    `the certificate of wss://127.0.0.1:${wss}/mqtt`,
  ]);
  assert.deepEqual([await shown(tls), await shown(wss)], ['next', 'next']);
});

test('a certificate that cannot be used starts nothing', async (t) => {
  const { config, second } = await rig(t);
  await rm(second.certificate);
  await assert.rejects(createApp({ ...config, log: { level: 'silent' } }), {
    code: 'CREDENTIALS_UNREADABLE',
    message: new RegExp(second.certificate),
  });
  // The folder is free.
  await assert.rejects(readFile(join(config.dataDir!, 'lock.json')), { code: 'ENOENT' });
});

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyBytes } from '../seal/keys.js';
import {
  configOf,
  connected,
  publishMany,
  received,
  replayed,
  started,
  streamInput,
  temporaryFolder,
} from './app-fixture.js';

const parquetFiles = async (dataDir: string) =>
  (await readdir(join(dataDir, 'streams'), { recursive: true })).filter((name) => name.endsWith('.parquet'));

const MERGED = /^files were merged$/;

test('small files become one while the broker runs; whoever reads meanwhile gets all, each once', async (t) => {
  const dataDir = await temporaryFolder(t);
  const { app, log, url } = await started(t, configOf(dataDir, { transfer: { embedded: false } }));
  const flush = (id: string) => app.request('flush', { id, stream: 'vehicle' });
  const payloads: string[] = [];
  for (let i = 0; i < 15; i++) {
    payloads.push(...(await publishMany(app, `${i}-`, 4)));
    await flush(`flush-${i}`);
  }
  // No transfer client is there: what it is to send stays.
  const searched = await app.request('search', { id: 's1', stream: 'vehicle' });
  assert.equal(searched.files!.length, 15);
  const client = await connected(t, url);
  await client.subscribeAsync('MQfile/slow/#', { qos: 1 });
  const slowly = received(client, 'MQfile/slow/', 64);

  payloads.push(...(await publishMany(app, 'last-', 4)));
  const reading = app.request('replay', { id: 'slow', stream: 'vehicle' });
  await flush('flush-last');
  await log.seen(MERGED);
  assert.deepEqual(
    (await slowly).map(({ payload }) => payload.toString()),
    payloads,
  );
  assert.equal((await reading).messages!.count, 64);
  assert.deepEqual((await replayed(app)).payloads, payloads);
  const listed = await app.request('files', { id: 'f1', stream: 'vehicle' });
  assert.deepEqual(
    listed.files!.map((file) => (file as { rows: number }).rows),
    [64],
  );
  const { stats } = app.streams.exchange.get('vehicle');
  assert.equal(stats.filesMerged, 16);
  assert.ok(stats.bytesMerged > 0);

  // Their bytes are still what the order says.
  await app.catalog.idle();
  assert.equal((await parquetFiles(dataDir)).length, 16);
  for (const { name } of searched.files as { name: string }[]) {
    assert.ok((await parquetFiles(dataDir)).some((path) => path.endsWith(name)));
    app.transfers.published(`ParquetFile/s1/${name}/fin`);
  }
  await app.catalog.idle();
  assert.equal((await parquetFiles(dataDir)).length, 1);
  await app.close();

  const again = await started(t, configOf(dataDir));
  assert.deepEqual((await replayed(again.app)).payloads, payloads);
  assert.equal(again.app.catalog.totals('vehicle').files, 1);
});

test('nothing is merged where that is not wanted', async (t) => {
  const dataDir = await temporaryFolder(t);
  const { app, log } = await started(
    t,
    configOf(dataDir, { streams: [streamInput({ merge: { enabled: false } })] }),
  );
  for (let i = 0; i < 20; i++) {
    await publishMany(app, `${i}-`, 1);
    await app.request('flush', { id: `flush-${i}`, stream: 'vehicle' });
  }
  await app.close();
  assert.deepEqual(log.matching(MERGED), []);
  const paths = await parquetFiles(dataDir);
  assert.equal(paths.length, 20);
  assert.equal((await readFile(join(dataDir, 'streams', paths[0]!))).subarray(0, 4).toString(), 'PAR1');
});

test('encrypted files become an encrypted one', async (t) => {
  const dataDir = await temporaryFolder(t);
  const config = configOf(dataDir, { streams: [streamInput({ encryption: { enabled: true } })] });
  const parts = { encryptionKeys: async () => [{ id: 'a', key: keyBytes('a') }] };
  const { app, log } = await started(t, config, parts);
  const payloads: string[] = [];
  for (let i = 0; i < 16; i++) {
    payloads.push(...(await publishMany(app, `${i}-`, 2)));
    await app.request('flush', { id: `flush-${i}`, stream: 'vehicle' });
  }
  await log.seen(MERGED);
  await app.catalog.idle();
  assert.deepEqual((await replayed(app)).payloads, payloads);
  await app.close();
  const paths = await readdir(join(dataDir, 'streams'), { recursive: true });
  assert.equal(paths.filter((name) => name.endsWith('.parquet.enc')).length, 1);
  assert.deepEqual(await parquetFiles(dataDir), []);
});

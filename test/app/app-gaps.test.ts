import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { App } from '../../src/app/app.js';
import {
  configOf,
  crashed,
  Disk,
  publishMany,
  replayed,
  started,
  streamInput,
  temporaryFolder,
} from './app-fixture.js';

async function flush(app: App): Promise<void> {
  assert.equal((await app.request('flush', { id: 'flush', stream: 'vehicle' })).ok, true);
}

for (const whenFull of ['drop-oldest', 'reject'] as const) {
  test(`${whenFull}: what was given up is a gap of every answer, also of those after a restart`, async (t) => {
    const dataDir = await temporaryFolder(t);
    const streams = [streamInput({ durability: 'none', ring: { messages: 8, whenFull } })];
    const config = configOf(dataDir, { streams });
    const disk = new Disk();
    const { app } = await started(t, config, { recorderModules: disk.modules });
    disk.stall();
    await publishMany(app, 'a', 8);
    await disk.stalled();
    await publishMany(app, 'b', 50);
    disk.goOn();
    await flush(app);
    const { gaps, payloads } = await replayed(app);
    assert.ok(gaps.length > 0 && payloads.length < 58);
    await app.close();

    const { app: next } = await started(t, config);
    assert.deepEqual((await replayed(next)).gaps, gaps);
    const files = await next.request('files', { id: 'f', stream: 'vehicle' });
    assert.deepEqual(files.gaps, gaps);
    assert.equal(next.streams.exchange.get('vehicle').gaps.count, gaps.length);
    await next.removeStream('vehicle');
    next.addStream(streams[0]!);
    assert.deepEqual((await replayed(next)).gaps, gaps);
  });
}

test('what a crash took is a gap of every later life, and of no later crash', async (t) => {
  const dataDir = await temporaryFolder(t);
  const { app } = await started(t, configOf(dataDir));
  await publishMany(app, 'a', 3, 1);
  const copy = await crashed(t, dataDir);

  const { app: second } = await started(t, configOf(copy));
  // A start waits for a while only.
  await second.streams.restored(60_000);
  const { gaps } = await replayed(second);
  assert.deepEqual(
    gaps.map(({ reason }) => reason),
    ['crash'],
  );
  await publishMany(second, 'b', 3, 1);
  await flush(second);
  assert.deepEqual((await replayed(second)).gaps, gaps);
  await second.close();
  const { app: third } = await started(t, configOf(copy));
  const after = await replayed(third);
  assert.deepEqual([after.payloads.length, after.gaps], [6, gaps]);
});

test('gaps go with the files that are older than the limits', async (t) => {
  const dataDir = await temporaryFolder(t);
  const streams = [
    streamInput({ ring: { messages: 8, bytes: 4096, whenFull: 'flush' }, retention: { maxFiles: 1 } }),
  ];
  const config = configOf(dataDir, { streams });
  const { app } = await started(t, config);
  const large = () => app.publish({ topic: 'vehicle/n', payload: Buffer.alloc(8192) });
  await large();
  await publishMany(app, 'a', 1);
  await flush(app);
  await large();
  await publishMany(app, 'b', 1);
  const before = (await replayed(app)).gaps;
  assert.deepEqual(
    before.map(({ reason }) => reason),
    ['too-large', 'too-large'],
  );
  await flush(app);
  // The files go in their own time.
  let now = before;
  while (now.length > 1) {
    await new Promise(setImmediate);
    now = (await replayed(app)).gaps;
  }
  assert.deepEqual(now, before.slice(1));
  await app.close();
  const { app: next } = await started(t, config);
  assert.deepEqual((await replayed(next)).gaps, before.slice(1));
});

import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.js';
import { readFooter } from '../../src/catalog/footer.js';
import { Clock } from '../../src/clock/clock.js';
import { parseStream } from '../../src/config/schema.js';
import { Keyring } from '../../src/seal/keyring.js';
import { Streams, type StreamsOptions } from '../../src/streams/streams.js';
import { atEnd, Disk, MemoryLog, numbered, streamInput, temporaryFolder } from '../app/app-fixture.js';
import { FakeTime, HOUR, SECOND } from '../clock/machine.js';
import { payloadsOf, publication } from '../exchange/fixture.js';

const EVERYTHING = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

async function rig(t: TestContext, more: Partial<StreamsOptions> = {}) {
  const dataDir = await temporaryFolder(t);
  const log = new MemoryLog();
  const disk = new Disk();
  const time = new FakeTime();
  const clock = new Clock(time, { floor: 0, base: null, corrections: [] });
  const catalog = await Catalog.open({ dataDir, fs: files, log: log.log });
  const streams = await Streams.start({
    dataDir,
    bootId: time.bootId,
    reserve: 0,
    catalog,
    clock,
    files,
    log: log.log,
    afterCrash: false,
    keyring: Keyring.EMPTY,
    sentOpen: false,
    recorderModules: disk.modules,
    ...more,
  });
  atEnd(t, () => streams.close(0));
  clock.onCorrection = () => streams.correct(clock.corrections);
  const { exchange } = streams;
  const publisher = exchange.origin('car');
  /** As the broker does it; what has to wait is told apart. */
  const publish = (payload: string, topic = 'vehicle/n') => {
    const message = publication(topic, payload);
    const now = () => {
      time.advance(10);
      exchange.take(publisher, message, clock.next());
    };
    if (exchange.admit(publisher, message)) now();
    else exchange.wait(publisher, message, () => exchange.admit(publisher, message) && now());
  };
  const stream = (input: object = {}) => parseStream(streamInput(input));
  return { catalog, clock, dataDir, disk, log, publish, stream, streams, time };
}

test('a flush answers with its file, which the catalogue lists; without messages with none', async (t) => {
  const { catalog, dataDir, publish, stream, streams } = await rig(t);
  const { stats, ring } = streams.add(stream());
  assert.equal(await streams.flush('vehicle'), null);
  for (const payload of numbered('', 5)) publish(payload);
  const file = await streams.flush('vehicle');
  assert.deepEqual([file], catalog.files('vehicle'));
  assert.match(file!.sha256!, /^[0-9a-f]{64}$/);
  const { size } = await stat(join(dataDir, file!.path));
  assert.deepEqual([file!.rows, file!.bytes], [5, size]);
  assert.deepEqual([stats.flushes, stats.rowsWritten, stats.bytesWritten], [1, 5, size]);
  assert.ok(stats.flushSeconds > 0);
  assert.deepEqual([ring.committed, ring.written], [5, 5]);
  assert.equal(await streams.flush('vehicle'), null);
  await assert.rejects(streams.flush('other'), { code: 'STREAM_NOT_FOUND' });
});

test('a checksum that was not known is computed once and kept', async (t) => {
  const { catalog, publish, stream, streams } = await rig(t);
  streams.add(stream());
  publish('x');
  const file = (await streams.flush('vehicle'))!;
  const known = file.sha256;
  file.sha256 = null;
  assert.equal(await streams.hash(file), known);
  assert.equal(catalog.files('vehicle')[0]!.sha256, known);
  await assert.rejects(streams.hash({ ...file, path: 'streams/none' }), { code: 'TRANSFER_READ_FAILED' });
});

test('a stream that cannot be written is not removed: it goes on, and may be removed later', async (t) => {
  const { catalog, disk, publish, stream, streams } = await rig(t);
  const vehicle = streams.add(stream({ onDiskFull: 'block' }));
  for (const payload of numbered('a', 3)) publish(payload);
  disk.full = true;
  await assert.rejects(streams.remove('vehicle'), { code: 'FLUSH_FAILED', message: /ENOSPC/ });
  assert.equal(streams.exchange.get('vehicle'), vehicle);
  publish('b');
  assert.deepEqual(payloadsOf(vehicle), ['a0', 'a1', 'a2', 'b']);
  disk.full = false;
  await streams.remove('vehicle');
  assert.equal(streams.exchange.find('vehicle'), undefined);
  assert.deepEqual(
    catalog.files('vehicle').map(({ rows }) => rows),
    [3, 1],
  );
  const again = streams.add(stream());
  publish('c');
  assert.deepEqual(payloadsOf(again), ['c']);
});

test('while a stream is being removed its name is taken, and what is written of it is given up by its ring', async (t) => {
  const { disk, publish, stream, streams, catalog } = await rig(t);
  const vehicle = streams.add(stream());
  publish('a');
  disk.stall();
  const removed = streams.remove('vehicle');
  await disk.stalled();
  assert.throws(() => streams.add(stream()), { code: 'STREAM_EXISTS' });
  await assert.rejects(streams.remove('vehicle'), { code: 'STREAM_NOT_FOUND' });
  disk.goOn();
  await removed;
  assert.equal(vehicle.ring.committed, 1);
  assert.equal(catalog.files('vehicle').length, 1);
  streams.add(stream());
});

test('a name that is taken is refused before anything is made of it', async (t) => {
  const { stream, streams } = await rig(t);
  const first = streams.add(stream());
  assert.throws(() => streams.add(stream({ topics: ['other'] })), { code: 'STREAM_EXISTS' });
  assert.equal(streams.exchange.get('vehicle'), first);
  await streams.close(1000);
  assert.throws(() => streams.add(stream({ name: 'late' })), { code: 'SHUTTING_DOWN' });
  assert.equal(streams.exchange.find('late'), undefined);
});

test('after a crash every stream has a gap before this process, and none within', async (t) => {
  const { clock, publish, stream, streams, time } = await rig(t, { afterCrash: true });
  const start = clock.last;
  const vehicle = streams.add(stream());
  const gap = { start: 0, end: start, messages: null, reason: 'crash' };
  assert.deepEqual(vehicle.gapsWithin(EVERYTHING), [{ ...gap, reason: 'being-recovered' }]);
  await streams.restored(60_000);
  assert.deepEqual(vehicle.gapsWithin(EVERYTHING), [gap]);
  publish('a');
  await streams.remove('vehicle');
  time.advance(HOUR);
  for (const added of [streams.add(stream()), streams.add(stream({ name: 'new' }))]) {
    await streams.restored(60_000);
    assert.deepEqual(added.gapsWithin(EVERYTHING), [gap]);
  }
});

test('files that are too old go by themselves', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { catalog, dataDir, publish, stream, streams, time } = await rig(t);
  streams.add(stream({ retention: { maxAge: '1h' } }));
  publish('a');
  const file = await streams.flush('vehicle');
  t.mock.timers.tick(60_000);
  assert.equal(catalog.files('vehicle').length, 1);
  time.advance(HOUR + SECOND);
  t.mock.timers.tick(60_000);
  assert.equal(catalog.files('vehicle').length, 0);
  await catalog.idle();
  await assert.rejects(stat(join(dataDir, file!.path)), { code: 'ENOENT' });
});

test('corrections of the clock stand in the files from then on', async (t) => {
  const { clock, dataDir, publish, stream, streams, time } = await rig(t);
  streams.add(stream());
  publish('a');
  time.advance(SECOND);
  time.step(-HOUR);
  publish('b');
  const file = await streams.flush('vehicle');
  const { corrections } = (await readFooter(join(dataDir, file!.path), files))!.clock!;
  assert.deepEqual(corrections, clock.corrections);
  assert.equal(clock.corrections.at(-1)!.offset, -HOUR);
});

test('closing: those who wait get room, every stream is written', async (t) => {
  const { catalog, disk, publish, stream, streams } = await rig(t);
  streams.add(stream({ ring: { messages: 4 } }));
  streams.add(stream({ name: 'other', topics: ['#'] }));
  disk.stall();
  for (const payload of numbered('', 50)) publish(payload);
  await disk.stalled();
  assert.ok(streams.exchange.waitingMessages >= 46);
  const closed = streams.close(60_000);
  disk.goOn();
  assert.deepEqual(await closed, []);
  for (const name of ['vehicle', 'other']) assert.equal(catalog.totals(name).rows, 50, name);
});

test('closing with a disk that stays full: it says what is in no file, those who wait included', async (t) => {
  const { disk, publish, stream, streams } = await rig(t);
  streams.add(stream({ ring: { messages: 4 }, onDiskFull: 'block' }));
  streams.add(stream({ name: 'empty', topics: ['none'] }));
  disk.full = true;
  for (const payload of numbered('', 10)) publish(payload);
  assert.deepEqual(await streams.close(300), [{ stream: 'vehicle', messages: 10 }]);
});

test('closing with an embedder that takes nothing: told, counted, and not asked without end', async (t) => {
  let offers = 0;
  const { log, publish, stream, streams } = await rig(t, {
    onBatch: () => {
      offers++;
      throw new Error('not now');
    },
  });
  streams.add(stream({ ring: { messages: 4, whenFull: 'return' } }));
  for (const payload of numbered('', 6)) publish(payload);
  assert.deepEqual(await streams.close(400), [{ stream: 'vehicle', messages: 6 }]);
  assert.ok(offers >= 1 && offers <= 20, `${offers} offers`);
  assert.equal(log.matching(/a batch was not taken/).length, offers);
});

test('closing with an embedder that never answers ends in time', async (t) => {
  const { publish, stream, streams } = await rig(t, { onBatch: () => new Promise(() => {}) });
  streams.add(stream({ ring: { messages: 4, whenFull: 'return' } }));
  publish('a');
  assert.deepEqual(await streams.close(100), [{ stream: 'vehicle', messages: 1 }]);
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { MqttClient } from 'mqtt';
import type { StreamInput } from '../../src/config/schema.js';
import {
  configOf,
  connected,
  Disk,
  numbered,
  publishMany,
  received,
  replayed,
  type Started,
  started,
  streamInput,
  temporaryFolder,
} from './app-fixture.js';

interface Rig extends Started {
  readonly disk: Disk;
  readonly dataDir: string;
}

/** A broker whose ring holds 8 messages, on a disk that does what the test wants. */
async function rig(
  t: TestContext,
  whenFull: 'flush' | 'drop-oldest' | 'reject' | 'return',
  more: Partial<StreamInput> = {},
): Promise<Rig> {
  const disk = new Disk();
  const dataDir = await temporaryFolder(t);
  const stream: StreamInput = streamInput({
    durability: 'none',
    onDiskFull: 'block',
    ring: { messages: 8, whenFull },
    ...more,
  });
  const config = configOf(dataDir, { streams: [stream] });
  const whole = await started(t, config, { recorderModules: disk.modules });
  return { ...whole, disk, dataDir };
}

for (const whenFull of ['flush', 'return'] as const) {
  test(`${whenFull} on a stalled disk: publishers wait, others do not, nothing is lost`, async (t) => {
    const { app, disk, url } = await rig(t, whenFull);
    const [publisher, other, subscriber] = await Promise.all([1, 2, 3].map(() => connected(t, url)));
    await subscriber!.subscribeAsync('#', { qos: 1 });
    disk.stall();
    let acknowledged = 0;
    const sent = numbered('', 40);
    const all = sent.map((payload) =>
      publisher!.publishAsync('vehicle/n', payload, { qos: 1 }).then(() => acknowledged++),
    );
    await disk.stalled();
    while (app.streams.exchange.waitingMessages === 0) await new Promise(setImmediate);
    // Whoever publishes to no full stream goes on.
    const routed = received(subscriber!, 'other/', 3);
    for (const payload of ['x', 'y', 'z']) await other!.publishAsync('other/n', payload, { qos: 1 });
    await routed;
    assert.ok(acknowledged <= 8, `${acknowledged} are acknowledged`);
    assert.equal(app.broker.heldConnections, 1);
    const held = (await replayed(app)).payloads;
    assert.deepEqual(held, sent.slice(0, held.length));
    disk.goOn();
    await Promise.all(all);
    const { payloads, gaps } = await replayed(app);
    assert.deepEqual([payloads, gaps], [sent, []]);
    assert.equal(app.broker.heldConnections, 0);
    const { captured, dropped, refused } = app.streams.exchange.get('vehicle').stats;
    assert.deepEqual([captured, dropped, refused], [40, 0, 0]);
  });
}

test('reject on a stalled disk: routed, refused with 0x97, counted, a gap', async (t) => {
  const { app, disk, url } = await rig(t, 'reject');
  const [publisher, subscriber] = await Promise.all([connected(t, url), connected(t, url)]);
  await subscriber.subscribeAsync('vehicle/#', { qos: 1 });
  const routed = received(subscriber, 'vehicle/', 30);
  disk.stall();
  const refused: string[] = [];
  const sent = numbered('', 30);
  for (const payload of sent) {
    await publisher.publishAsync('vehicle/n', payload, { qos: 1 }).catch((error: { code: number }) => {
      assert.equal(error.code, 0x97);
      refused.push(payload);
    });
  }
  assert.deepEqual(
    (await routed).map((packet) => packet.payload.toString()),
    sent,
  );
  await disk.stalled();
  assert.ok(refused.length >= 30 - 8, `${refused.length}`);
  disk.goOn();
  assert.equal((await app.request('flush', { id: 'f', stream: 'vehicle' })).ok, true);
  const { payloads, gaps } = await replayed(app);
  assert.deepEqual(
    payloads,
    sent.filter((payload) => !refused.includes(payload)),
  );
  assert.equal(app.streams.exchange.get('vehicle').stats.refused, refused.length);
  assert.equal(
    gaps.reduce((sum, { messages }) => sum + messages!, 0),
    refused.length,
  );
  assert.deepEqual([...new Set(gaps.map(({ reason }) => reason))], ['rejected']);
});

test('drop-oldest on a stalled disk: the newest stay, the oldest are counted and a gap', async (t) => {
  const { app, disk } = await rig(t, 'drop-oldest');
  disk.stall();
  await publishMany(app, 'a', 8);
  await disk.stalled();
  const sent = [...numbered('a', 8), ...(await publishMany(app, 'b', 92))];
  const { stats } = app.streams.exchange.get('vehicle');
  const during = await replayed(app);
  assert.deepEqual(during.payloads, sent.slice(-during.payloads.length));
  const missing = (gaps: typeof during.gaps) => gaps.reduce((sum, { messages }) => sum + messages!, 0);
  assert.equal(missing(during.gaps) + during.payloads.length, 100);
  assert.ok(during.gaps.some(({ reason }) => reason === 'being-written'));
  disk.goOn();
  assert.equal((await app.request('flush', { id: 'f', stream: 'vehicle' })).ok, true);
  const { payloads, gaps } = await replayed(app);
  assert.deepEqual(payloads, [...new Set(payloads)]);
  assert.equal(payloads.length + stats.dropped, 100);
  assert.equal(missing(gaps), stats.dropped);
  assert.ok(stats.dropped > 0 && gaps.every(({ reason }) => reason === 'dropped'));
  assert.equal(stats.rowsWritten, payloads.length);
});

test('a full disk: one line an episode, requests say so, everything stays and is written later', async (t) => {
  const { app, disk, log, url } = await rig(t, 'flush');
  for (const episode of [1, 2]) {
    disk.full = true;
    await publishMany(app, `${episode}-`, 5);
    for (const id of ['f1', 'f2']) {
      const refused = await app.request('flush', { id, stream: 'vehicle' });
      assert.equal(refused.error?.code, 'FLUSH_FAILED');
      assert.match(refused.error!.message, /stream "vehicle" could not be written yet.*ENOSPC/);
    }
    assert.equal(log.matching(/a file could not be written and is tried again/).length, episode);
    assert.deepEqual([...app.streams.failures().keys()], ['vehicle']);
    assert.equal(app.streams.exchange.get('vehicle').stats.flushFailures, episode);
    assert.equal((await replayed(app)).payloads.length, episode * 5);
    disk.full = false;
    assert.equal((await app.request('flush', { id: 'f3', stream: 'vehicle' })).ok, true);
    await log.seen(/files can be written again/, episode);
    assert.equal(app.streams.failures().size, 0);
  }
  disk.full = true;
  const publisher = await connected(t, url);
  const all = numbered('late', 20).map((payload) => publisher.publishAsync('vehicle/n', payload, { qos: 1 }));
  await log.seen(/a file could not be written and is tried again/, 3);
  disk.full = false;
  await Promise.all(all);
  const { payloads, gaps } = await replayed(app);
  assert.deepEqual(payloads, [...numbered('1-', 5), ...numbered('2-', 5), ...numbered('late', 20)]);
  assert.deepEqual(gaps, []);
});

test('an encoder that breaks down: its thread is replaced and nothing is lost', async (t) => {
  const { app, disk, log } = await rig(t, 'flush');
  const sent = await publishMany(app, 'a', 5);
  disk.poison(2);
  assert.equal((await app.request('flush', { id: 'f', stream: 'vehicle' })).ok, true);
  assert.equal(log.matching(/the recorder's thread ended and is replaced/).length, 2);
  sent.push(...(await publishMany(app, 'b', 30)));
  const { payloads, gaps } = await replayed(app);
  assert.deepEqual([payloads, gaps], [sent, []]);
  assert.equal(app.streams.exchange.get('vehicle').stats.dropped, 0);
  assert.deepEqual(await app.close(), []);
});

test('drop-oldest and an encoder that breaks down: what only it had is lost, counted and a gap', async (t) => {
  const { app, disk, log } = await rig(t, 'drop-oldest');
  for (let round = 1; round <= 3; round++) {
    disk.poison(1);
    await publishMany(app, `${round}-`, 50);
    await log.seen(/the recorder's thread ended and is replaced/, round);
  }
  assert.equal((await app.request('flush', { id: 'f', stream: 'vehicle' })).ok, true);
  const { payloads, gaps } = await replayed(app);
  const { dropped } = app.streams.exchange.get('vehicle').stats;
  assert.equal(payloads.length, new Set(payloads).size);
  assert.equal(payloads.length + dropped, 150);
  assert.equal(
    gaps.reduce((sum, { messages }) => sum + messages!, 0),
    dropped,
  );
});

test('a stop with a disk that hangs: it says what is not written, and so does the next start', async (t) => {
  const { app, disk, dataDir } = await rig(t, 'flush');
  await publishMany(app, 'a', 3);
  await app.request('flush', { id: 'f', stream: 'vehicle' });
  disk.stall();
  const all = numbered('b', 12).map((payload) => app.publish({ topic: 'vehicle/n', payload }));
  const settled = Promise.allSettled(all);
  await disk.stalled();
  assert.deepEqual(await app.close(300), [{ stream: 'vehicle', messages: 12 }]);
  const outcomes = (await settled).map((one) => (one.status === 'rejected' ? one.reason.code : 'captured'));
  assert.deepEqual(outcomes, [...Array(8).fill('captured'), ...Array(4).fill('SHUTTING_DOWN')]);
  const { app: next } = await started(t, configOf(dataDir));
  const { payloads, gaps } = await replayed(next);
  assert.deepEqual(payloads, numbered('a', 3));
  assert.deepEqual(
    gaps.map(({ reason, messages }) => [reason, messages]),
    [['crash', null]],
  );
});

test('a stop while publishers wait for room: they get it', async (t) => {
  const { app, disk, dataDir } = await rig(t, 'flush');
  disk.stall();
  const sent = numbered('', 100);
  const all = sent.map((payload) => app.publish({ topic: 'vehicle/n', payload }));
  await disk.stalled();
  const closed = app.close();
  disk.goOn();
  assert.deepEqual(await closed, []);
  await Promise.all(all);
  const { app: next } = await started(t, configOf(dataDir));
  assert.deepEqual((await replayed(next)).payloads, sent);
});

const DISK = { reserve: 1 };

/** Publishes until told to stop, at QoS 1; answers with what was acknowledged and what was refused. */
async function pressed(client: MqttClient, until: () => boolean) {
  const acknowledged: string[] = [];
  const refused: string[] = [];
  for (let i = 0; !until(); i++) {
    await client.publishAsync('vehicle/n', `m${i}`, { qos: 1 }).then(
      () => acknowledged.push(`m${i}`),
      (error: { code: number }) => {
        assert.equal(error.code, 0x97);
        refused.push(`m${i}`);
      },
    );
  }
  return { acknowledged, refused };
}

for (const durability of ['none', 'process', 'strict'] as const) {
  test(`stop-capture, ${durability}: on a full disk all is routed, refusals are counted, and it goes on by itself`, async (t) => {
    const shape = { durability, onDiskFull: 'stop-capture', ring: {}, flush: { messages: 10 } } as const;
    const { app, disk, url, log } = await rig(t, 'flush', shape);
    const [publisher, subscriber] = await Promise.all([connected(t, url), connected(t, url)]);
    let routed = 0;
    subscriber.on('message', (topic) => {
      if (topic === 'vehicle/n') routed++;
    });
    const states: string[] = [];
    subscriber.on('message', (topic, payload) => {
      if (topic === '$SYS/broker/streams/vehicle/state') states.push(payload.toString());
    });
    await subscriber.subscribeAsync(['vehicle/#', '$SYS/broker/streams/#'], { qos: 1 });
    const { stats } = app.streams.exchange.get('vehicle');
    const before = await pressed(publisher, () => stats.rowsWritten >= 20);
    disk.full = true;
    const during = await pressed(publisher, () => stats.refused >= 30);
    assert.equal(during.refused.length >= 30, true);
    await log.seen(/the stream captures nothing, messages are only routed: ENOSPC/);
    disk.full = false;
    const after = await pressed(publisher, () => stats.rowsWritten >= 60);
    await log.seen(/the stream captures again/);
    assert.equal((await app.request('flush', { id: 'f', stream: 'vehicle' })).ok, true);
    const sent = [before, during, after];
    const { payloads, gaps } = await replayed(app);
    const acknowledged = sent.flatMap(({ acknowledged }) => acknowledged);
    const kept = [...payloads];
    for (const payload of acknowledged) {
      const at = kept.indexOf(payload);
      assert.ok(at >= 0, `${payload} was acknowledged`);
      kept.splice(at, 1);
    }
    // What was in the ring before it stopped was written in the end, and nobody had been told that it would be.
    const refusals = sent.reduce((sum, { refused }) => sum + refused.length, 0);
    assert.equal(stats.refused + kept.length, refusals);
    assert.deepEqual(
      [gaps.reduce((sum, { messages }) => sum + messages!, 0), new Set(gaps.map(({ reason }) => reason))],
      [stats.refused, new Set(['stopped'])],
    );
    assert.equal(routed, acknowledged.length + refusals);
    assert.deepEqual([states[0], states.at(-1), states.includes('stopped')], ['ok', 'ok', true]);
  });
}

test('QoS 2 that a stream cannot keep: PUBREC says so and ends the exchange', async (t) => {
  const shape = { durability: 'process', onDiskFull: 'stop-capture', ring: {} } as const;
  const { app, disk, url } = await rig(t, 'flush', shape);
  const publisher = await connected(t, url);
  disk.full = true;
  for (let i = 0; i < 3; i++)
    await assert.rejects(publisher.publishAsync('vehicle/n', `${i}`, { qos: 2 }), { code: 0x97 });
  disk.full = false;
  const { stats } = app.streams.exchange.get('vehicle');
  await pressed(publisher, () => stats.captured >= 5);
  await publisher.publishAsync('vehicle/n', 'kept', { qos: 2 });
  assert.equal((await replayed(app)).payloads.at(-1), 'kept');
});

test('drop-oldest-files: the oldest make room, are counted and a gap; the newest are all there', async (t) => {
  const dataDir = await temporaryFolder(t);
  const disk = new Disk();
  const stream = streamInput({
    onDiskFull: 'drop-oldest-files',
    ring: { messages: 256 },
    flush: { messages: 100, every: 0, idle: 0 },
  });
  const { app } = await started(t, configOf(dataDir, { disk: DISK, streams: [stream] }), {
    recorderModules: disk.modules,
  });
  disk.capacity = 64 * 1024;
  const { stats } = app.streams.exchange.get('vehicle');
  const sent: string[] = [];
  for (let i = 0; stats.deletedFiles < 5; i++) sent.push(...(await publishMany(app, `${i}-`, 100, 1)));
  // One that finds no room says so; the next one may have it.
  while (!(await app.request('flush', { id: 'f', stream: 'vehicle' })).ok);
  const { payloads, gaps } = await replayed(app);
  assert.deepEqual(payloads, sent.slice(-payloads.length));
  assert.equal(payloads.length + stats.deletedRows, sent.length);
  assert.deepEqual([stats.refused, stats.captured], [0, sent.length]);
  assert.deepEqual(
    [gaps.reduce((sum, { messages }) => sum + messages!, 0), new Set(gaps.map(({ reason }) => reason))],
    [stats.deletedRows, new Set(['deleted'])],
  );
});

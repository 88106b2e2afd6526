import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connectAsync } from 'mqtt';
import { createApp } from '../../src/app/app.js';

const STREAM = [
  'captured_messages_total',
  'captured_bytes_total',
  'dropped_messages_total',
  'refused_messages_total',
  'too_large_messages_total',
  'ring_messages',
  'ring_bytes',
  'ring_capacity_messages',
  'ring_capacity_bytes',
  'flushes_total',
  'flush_seconds_total',
  'flush_failures_total',
  'writer_failing',
  'stopped',
  'recovered_messages',
  'recovery_torn_bytes',
  'recovery_lost_seconds',
  'recovering',
  'journal_bytes_total',
  'journal_syncs_total',
  'over_write_budget',
  'deleted_files_total',
  'deleted_rows_total',
  'written_rows_total',
  'written_bytes_total',
  'merged_files_total',
  'merged_bytes_total',
  'merge_failures_total',
  'files',
  'file_bytes',
  'loading_files',
  'waiting_publishers',
  'gaps',
];
const BROKER = [
  'connections',
  'accepted_connections_total',
  'connects_total',
  'connections_refused_full_total',
  'connections_refused_address_total',
  'connections_refused_rate_total',
  'accept_failures_total',
  'connect_timeouts_total',
  'oversized_connects_total',
  'tls_failures_total',
  'sessions',
  'expired_sessions_total',
  'subscriptions',
  'shared_subscriptions',
  'retained_messages',
  'retained_bytes',
  'received_packets_total',
  'sent_packets_total',
  'received_wire_bytes_total',
  'sent_wire_bytes_total',
  'received_messages_total',
  'received_bytes_total',
  'inside_messages_total',
  'sent_messages_total',
  'sent_bytes_total',
  'dropped_deliveries_total',
  'refused_logins_total',
  'refused_publishes_total',
  'returned_publishes_total',
  'quota_disconnects_total',
  'receive_maximum_disconnects_total',
  'refused_subscriptions_total',
  'refused_retained_total',
  'refused_sessions_total',
  'refused_requests_total',
  'slowed_publishers_total',
  'delivery_queue_messages',
  'delivery_queue_bytes',
  'held_connections',
  'requests_running',
  'transfers_outstanding',
  'clock_corrections',
  'clock_offset_seconds',
  'clock_plausible',
  'resident_memory_bytes',
  'heap_used_bytes',
  'cpu_seconds_total',
  'uptime_seconds',
];
const QUANTILES = ['0.5', '0.99', '1'].map((quantile) => `event_loop_delay_seconds{quantile="${quantile}"}`);

async function app(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-metrics-'));
  const flush = { every: 0, idle: 0 };
  const running = await createApp({
    dataDir: folder,
    listeners: [{ port: 0 }],
    http: { port: 0 },
    streams: [
      { name: 'vehicle', topics: ['vehicle/#'], flush },
      {
        name: 'small',
        topics: ['vehicle/small'],
        flush,
        ring: { messages: 2, bytes: '4KiB', whenFull: 'reject' },
      },
    ],
    transfer: { embedded: false },
    log: { level: 'silent' },
  });
  t.after(async () => {
    await running.close();
    await rm(folder, { recursive: true, force: true });
  });
  const scrape = async () => samples(await (await fetch(`${running.http!.url}/metrics`)).text());
  return { app: running, scrape };
}

/** The text format, strictly: every sample follows the HELP and TYPE of its metric. */
function samples(text: string): Map<string, number> {
  const found = new Map<string, number>();
  let metric = '';
  let type = '';
  assert.ok(text.endsWith('\n'));
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const comment = /^# (HELP|TYPE) (mqtt_stream_[a-z0-9_]+) (.+)$/.exec(line);
    if (comment?.[1] === 'HELP') {
      metric = comment[2];
      assert.match(comment[3], /\.$/);
    } else if (comment !== null) {
      assert.equal(comment[2], metric);
      type = comment[3];
      assert.equal(type, metric.endsWith('_total') ? 'counter' : 'gauge', metric);
    } else {
      const sample = /^([a-z0-9_]+)((?:\{[a-z]+="[^"\\\n]*"\})?) ([0-9.e+-]+)$/.exec(line);
      assert.ok(sample, line);
      assert.equal(sample[1], metric);
      const name = sample[1].slice('mqtt_stream_'.length) + sample[2];
      assert.ok(!found.has(name), name);
      found.set(name, Number(sample[3]));
      assert.ok(Number(sample[3]) >= 0, line);
    }
  }
  return found;
}

test('every metric is there, and no other', async (t) => {
  const { scrape } = await app(t);
  const expected = [
    ...STREAM.flatMap((name) => [`${name}{stream="vehicle"}`, `${name}{stream="small"}`]),
    ...BROKER,
    ...QUANTILES,
  ];
  assert.deepEqual([...(await scrape()).keys()].sort(), expected.sort());
});

test('docs/monitoring.md names every metric, docs/connections.md those of limits', async () => {
  const files = ['monitoring.md', 'connections.md'].map(
    (name) => new URL(`../../../docs/${name}`, import.meta.url),
  );
  const docs = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join();
  for (const name of [...STREAM, ...BROKER, 'event_loop_delay_seconds'])
    assert.ok(docs.includes(`\`${name}\``), name);
});

test('the counts are those of what happened', async (t) => {
  const { app: running, scrape } = await app(t);
  const client = await connectAsync(running.listeners[0].url, { protocolVersion: 5, reconnectPeriod: 0 });
  await client.subscribeAsync('vehicle/#', { qos: 1 });
  for (let i = 0; i < 10; i++) await client.publishAsync('vehicle/a', 'x'.repeat(100), { qos: 1 });
  await client.publishAsync('vehicle/state', 'abc', { qos: 1, retain: true });
  await assert.rejects(client.publishAsync('$SYS/mine', 'x', { qos: 1 }));

  const before = await scrape();
  const of = (name: string, stream = 'vehicle') => before.get(`${name}{stream="${stream}"}`);
  assert.equal(of('captured_messages_total'), 11);
  assert.equal(of('captured_bytes_total'), 1003);
  assert.equal(of('ring_messages'), 11);
  assert.ok(of('ring_bytes')! >= 1003);
  assert.equal(of('ring_capacity_messages'), 65_536);
  assert.equal(of('ring_capacity_bytes'), 64 * 1024 * 1024);
  assert.equal(of('files'), 0);
  assert.equal(before.get('connections'), 1);
  assert.equal(before.get('sessions'), 1);
  assert.equal(before.get('subscriptions'), 1);
  assert.equal(before.get('retained_messages'), 1);
  assert.equal(before.get('retained_bytes'), 3);
  assert.equal(before.get('accepted_connections_total'), 1);
  assert.equal(before.get('connects_total'), 1);
  // CONNECT, SUBSCRIBE, 12 PUBLISH and 11 PUBACK; the answers to the former, and 11 PUBLISH.
  assert.equal(before.get('received_packets_total'), 25);
  assert.equal(before.get('sent_packets_total'), 25);
  assert.ok(before.get('received_wire_bytes_total')! > 1003);
  assert.ok(before.get('sent_wire_bytes_total')! > 1003);
  assert.equal(before.get('received_messages_total'), 12);
  assert.equal(before.get('received_bytes_total'), 1004);
  assert.equal(before.get('inside_messages_total'), 0);
  assert.equal(before.get('sent_messages_total'), 11);
  assert.equal(before.get('sent_bytes_total'), 1003);
  assert.equal(before.get('refused_publishes_total'), 1);
  assert.ok(before.get('resident_memory_bytes')! > 1e7);
  assert.ok(before.get('cpu_seconds_total')! > 0);

  assert.equal((await running.request('flush', { id: 'f', stream: 'vehicle' })).ok, true);
  const after = await scrape();
  const now = (name: string) => after.get(`${name}{stream="vehicle"}`);
  assert.equal(now('ring_messages'), 0);
  assert.equal(now('ring_bytes'), 0);
  assert.equal(now('flushes_total'), 1);
  assert.equal(now('written_rows_total'), 11);
  assert.equal(now('files'), 1);
  assert.equal(now('file_bytes'), now('written_bytes_total'));
  assert.ok(now('flush_seconds_total')! > 0);
  assert.equal(now('captured_messages_total'), 11);
});

test('what is refused or too large is counted, and makes a gap', async (t) => {
  const { app: running, scrape } = await app(t);
  for (let i = 0; i < 3; i++) await running.publish({ topic: 'vehicle/small', payload: 'x' });
  await running.publish({ topic: 'vehicle/small', payload: new Uint8Array(5000) });
  const found = await scrape();
  const of = (name: string) => found.get(`${name}{stream="small"}`);
  assert.equal(of('captured_messages_total'), 2);
  assert.equal(of('refused_messages_total'), 1);
  assert.equal(of('too_large_messages_total'), 1);
  assert.equal(of('gaps'), 2);
});

test('streams come and go with their metrics', async (t) => {
  const { app: running, scrape } = await app(t);
  running.addStream({ name: 'more', topics: ['more'] });
  await running.publish({ topic: 'more', payload: 'x' });
  assert.equal((await scrape()).get('captured_messages_total{stream="more"}'), 1);
  await running.removeStream('more');
  const left = [...(await scrape()).keys()].filter((name) => name.includes('"more"'));
  assert.deepEqual(left, []);
});

test('scrapes at the same time are each whole', async (t) => {
  const { app: running, scrape } = await app(t);
  await running.publish({ topic: 'vehicle/a', payload: 'x' });
  const all = await Promise.all(Array.from({ length: 8 }, scrape));
  for (const found of all) assert.equal(found.get('captured_messages_total{stream="vehicle"}'), 1);
});

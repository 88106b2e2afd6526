import { setTimeout as delay } from 'node:timers/promises';
import { OurBroker } from './brokers/ours.js';
import { Load } from './load/load.js';
import type { FlowPlan } from './load/plan.js';
import { type Answer, check, type Run } from './question.js';
import { progress } from './rounds.js';
import { median, percentile } from './summary.js';
import type { Row, Sample } from './table.js';

const MIB = 1024 * 1024;
const STREAM = 'bench';
const CASE = '1,000 messages/s, QoS 0, 64 B';
/** What the recorder counts for a row besides its payload. */
const ROW_BYTES = 28;
const BULK_BYTES = 1024;
/** From the start of the flow to the flush; the messages until then are what "idle" means. */
const BEFORE_MS = 1500;
const QUICK_BEFORE_MS = 600;
/** Left out before the flush, so that nothing of it counts as idle. */
const QUIET_MS = 50;
const LIMIT_MS = 10;

/** Whether routing suffers while a large file is written. */
export async function flushLatency(run: Run): Promise<Answer> {
  const raw = run.quick ? MIB : 48 * MIB;
  const bulk = Math.floor(raw / (BULK_BYTES + ROW_BYTES));
  const load = new Load();
  const background = new Load();
  const broker = await OurBroker.start(run.folder, {
    streams: [
      {
        name: STREAM,
        topics: ['bulk/#', 'flow/#'],
        ring: { messages: 262_144, bytes: '128MiB' },
        // Nothing but the request starts a flush.
        flush: { every: 0, idle: 0, bytes: '64MiB', messages: 1_000_000 },
        retention: { maxBytes: '256MiB' },
      },
    ],
  });
  const { port } = broker;
  const one = { port, publishers: 1, subscribers: 1, qos: 0 } as const;
  const fill: FlowPlan = { ...one, topic: 'bulk', payloadBytes: BULK_BYTES, messages: bulk, seconds: 30 };
  const flow: FlowPlan = {
    ...one,
    topic: 'flow',
    payloadBytes: 64,
    messages: Number.POSITIVE_INFINITY,
    seconds: run.quick ? 1 : 3.5,
    rate: 1000,
    latencies: true,
  };
  const samples: { idle: Sample; during: Sample }[] = [];
  const all = { idle: [] as number[], during: [] as number[] };
  const flushMs: number[] = [];
  try {
    for (let round = run.quick ? 0 : -1; round < run.rounds; round++) {
      const start = await broker.counts(STREAM);
      const filled = await background.run(fill);
      const flowing = load.run(flow);
      await delay(run.quick ? QUICK_BEFORE_MS : BEFORE_MS);
      const before = await broker.counts(STREAM);
      const flushed = await broker.flush(STREAM);
      const after = await broker.counts(STREAM);
      const result = await flowing;
      await broker.checkWritten(STREAM, filled.sent + result.sent, start);
      check('files that the flush wrote', after.files - before.files, 1);
      check('the flush wrote all that was waiting', after.written - before.written >= bulk, true);
      progress(`  round ${round + 1} of ${run.rounds}\n`);
      if (round < 0) continue;
      const idle = between(result.latencies, 0, flushed.started - QUIET_MS);
      const during = between(result.latencies, flushed.started, flushed.ended);
      samples.push({ idle: summary(idle), during: summary(during) });
      all.idle.push(...idle);
      all.during.push(...during);
      flushMs.push(flushed.ended - flushed.started);
    }
  } finally {
    await Promise.all([broker.stop(), load.stop(), background.stop()]);
  }
  const row = (who: string, of: readonly Sample[]): Row => ({
    case: CASE,
    who,
    ours: true,
    samples: of,
    failure: null,
  });
  const calm = percentile(all.idle, 0.99);
  return {
    tables: [
      {
        title: `Latency of a flow while a file of ${raw / MIB} MiB raw is written`,
        metrics: [
          { key: 'p99', title: 'p99 ms', digits: 2 },
          { key: 'p50', title: 'p50 ms', digits: 2 },
          { key: 'most', title: 'most ms', digits: 2 },
          { key: 'messages', title: 'messages a round', digits: 0 },
        ],
        moreIsBetter: false,
        rows: [
          row(
            'while flushing',
            samples.map(({ during }) => during),
          ),
          row(
            'idle',
            samples.map(({ idle }) => idle),
          ),
        ],
      },
    ],
    targets: [
      {
        what: `p99 of all ${all.during.length} messages sent while flushing (idle: ${calm.toFixed(2)} ms)`,
        unit: 'ms',
        value: percentile(all.during, 0.99),
        limit: Math.max(2 * calm, LIMIT_MS),
        atLeast: false,
      },
    ],
    notes: [
      `From before a client writes a message until after another has read it; 1 KiB messages, zstd; a flush took ${median(flushMs).toFixed(0)} ms.`,
    ],
  };
}

/** The latencies of the messages that were sent in this time. */
function between(pairs: Float64Array, start: number, end: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < pairs.length; i += 2)
    if (pairs[i] >= start && pairs[i] <= end) found.push(pairs[i + 1]);
  return found;
}

function summary(latencies: readonly number[]): Sample {
  return {
    p99: percentile(latencies, 0.99),
    p50: percentile(latencies, 0.5),
    most: Math.max(...latencies),
    messages: latencies.length,
  };
}

import type { ConfigInput, StreamInput } from '../src/config/schema.js';
import { TOPIC } from './brokers/contestant.js';
import { OurBroker } from './brokers/ours.js';
import { Load } from './load/load.js';
import { type Answer, check, type Run } from './question.js';
import { alternate, type Contender } from './rounds.js';
import { percentile } from './summary.js';
import { medianOf, type Row, rowOf, type Sample } from './table.js';

const STREAM = 'bench';
const CASE = '20,000 messages/s, QoS 1, 64 B, 100 pairs';
const SHAPE = {
  qos: 1,
  payloadBytes: 64,
  publishers: 100,
  subscribers: 100,
  pairs: true,
  rate: 20_000,
} as const;
/** More than any disk has: no message gets into a file or a journal. */
const NO_ROOM = { disk: { reserve: 2 ** 52 } };
const HEALTHY = 'a disk with room';
const VARIANTS: readonly { who: string; config: ConfigInput; stream: Partial<StreamInput> }[] = [
  { who: HEALTHY, config: {}, stream: {} },
  { who: 'stop-capture', config: NO_ROOM, stream: { onDiskFull: 'stop-capture' } },
  { who: 'drop-oldest-files, none left', config: NO_ROOM, stream: { onDiskFull: 'drop-oldest-files' } },
  // Who publishes to it would wait; these publish what it does not want.
  { who: 'block, other topics', config: NO_ROOM, stream: { onDiskFull: 'block', topics: ['other/#'] } },
];

/** Whether routing suffers while a stream's disk is full. */
export async function fullDisk(run: Run): Promise<Answer> {
  const load = new Load();
  const brokers: OurBroker[] = [];
  try {
    const contenders: Contender[] = [];
    for (const { who, config, stream } of VARIANTS) {
      const streams = [{ name: STREAM, topics: [`${TOPIC}/#`], ...stream }];
      const broker = await OurBroker.start(run.folder, { ...config, log: { level: 'fatal' }, streams });
      brokers.push(broker);
      contenders.push({ case: CASE, who, ours: true, measure: () => measure(run, load, broker) });
    }
    const rows = await alternate(run, contenders);
    return {
      tables: [
        {
          title: 'Latency while a disk is full',
          metrics: [
            { key: 'p99', title: 'p99 ms', digits: 3 },
            { key: 'p50', title: 'p50 ms', digits: 3 },
            { key: 'captured', title: 'captured', digits: 0 },
            { key: 'refused', title: 'refused', digits: 0 },
          ],
          moreIsBetter: false,
          rows,
        },
      ],
      targets: [],
      notes: [
        'Captured and refused together are what was published, in every round.',
        `p99 of ${ratios(rows)} of that with room.`,
      ],
    };
  } finally {
    await Promise.all([load, ...brokers].map((one) => one.stop()));
  }
}

function ratios(rows: readonly Row[]): string {
  const p99 = (who: string) => medianOf(rowOf(rows, CASE, who), 'p99');
  return VARIANTS.slice(1)
    .map(({ who }) => `${who}: ${(p99(who) / p99(HEALTHY)).toFixed(2)}`)
    .join(', ');
}

async function measure(run: Run, load: Load, broker: OurBroker): Promise<Sample> {
  const before = await broker.counts(STREAM);
  const { port, pid } = broker;
  const limits = { messages: Number.POSITIVE_INFINITY, seconds: run.quick ? 0.1 : 15 };
  const { latencies, sent } = await load.run({
    ...SHAPE,
    ...limits,
    port,
    pid,
    topic: TOPIC,
    latencies: true,
  });
  const now = await broker.counts(STREAM);
  const captured = now.captured - before.captured;
  const refused = now.refused - before.refused;
  if (captured + refused > 0) check('captured and refused', captured + refused, sent);
  const counted: number[] = [];
  // The first two seconds are of new connections.
  for (let i = 0; i < latencies.length; i += 2) {
    if (run.quick || latencies[i] - latencies[0] >= 2000) counted.push(latencies[i + 1]);
  }
  return { p50: percentile(counted, 0.5), p99: percentile(counted, 0.99), captured, refused };
}

import type { StreamInput } from '../src/config/schema.js';
import { TOPIC } from './brokers/contestant.js';
import type { OurBroker } from './brokers/ours.js';
import { CAPTURED, ours } from './brokers/variants.js';
import { COST_NOTES, COSTS, flowSample } from './flow-sample.js';
import type { Load } from './load/load.js';
import { cpuSince } from './process-cost.js';
import { type Answer, check, type Run } from './question.js';
import { alternate, type Contender } from './rounds.js';
import { percentile } from './summary.js';
import { medianOf, type Row, rowOf, type Sample, type Target } from './table.js';
import { type Runner, together } from './together.js';
import { AMPLIFICATION_NOTES, writeAmplification } from './write-amplification.js';

const LEVELS = ['none', 'process', 'interval', 'strict'] as const satisfies StreamInput['durability'][];
const STREAM = 'bench';
const PUBLISHERS = 100;
const FLOWS = [
  { case: 'QoS 0, 64 B, 1 to 1', qos: 0, payloadBytes: 64, publishers: 1, subscribers: 1 },
  { case: 'QoS 1, 64 B, 100 to 1', qos: 1, payloadBytes: 64, publishers: PUBLISHERS, subscribers: 1 },
] as const;
const CLOSED = [
  { case: `QoS 1, 64 B, ${PUBLISHERS} publishers with one message each on the way`, publishers: PUBLISHERS },
  { case: 'QoS 1, 64 B, 1 publisher with one message on the way', publishers: 1 },
];

/** What it costs that acknowledged messages are safe. */
export async function durability(run: Run): Promise<Answer> {
  const entrants = LEVELS.map((level) =>
    ours(run.folder, { ...CAPTURED, who: level, stream: { durability: level } }),
  );
  return together(entrants, async (runners, load) => {
    const flows: Row[] = [];
    const limits = run.quick
      ? { messages: 200, seconds: 10 }
      : { messages: Number.POSITIVE_INFINITY, seconds: 3 };
    for (const { case: kase, ...shape } of FLOWS) {
      flows.push(
        ...(await alternate(
          run,
          contenders(
            runners,
            kase,
            async (runner) => (await flowSample(load, runner, { ...shape, ...limits })).sample,
          ),
        )),
      );
    }
    const answers: Row[] = [];
    for (const { case: kase, publishers } of CLOSED) {
      answers.push(
        ...(await alternate(
          run,
          contenders(runners, kase, (runner) => closedLoop(load, runner, publishers, run.quick ? 0.1 : 3)),
        )),
      );
    }
    const written = await writeAmplification(run, load, LEVELS);
    return {
      tables: [
        {
          title: 'Captured, by durability',
          metrics: [{ key: 'rate', title: 'messages/s', digits: 0 }, ...COSTS],
          moreIsBetter: true,
          rows: flows,
        },
        {
          title: 'Until a message is acknowledged, by durability',
          metrics: [
            { key: 'p50', title: 'p50 ms', digits: 3 },
            { key: 'p99', title: 'p99 ms', digits: 3 },
            { key: 'most', title: 'longest ms', digits: 1 },
            { key: 'rate', title: 'messages/s', digits: 0 },
            { key: 'cpu', title: 'CPU µs/message', digits: 2 },
          ],
          moreIsBetter: false,
          rows: answers,
        },
        written,
      ],
      targets: targets(flows),
      notes: [
        ...COST_NOTES,
        'All levels are measured with one stream of the default configuration; interval syncs every 50 ms.',
        'Every message that was acknowledged is in a file afterwards.',
        ...AMPLIFICATION_NOTES,
      ],
    };
  });
}

function contenders(
  runners: readonly Runner[],
  kase: string,
  measure: (runner: Runner) => Promise<Sample>,
): Contender[] {
  return runners.map((runner) => ({
    case: kase,
    who: runner.entrant.who,
    ours: true,
    measure: () => measure(runner),
  }));
}

async function closedLoop(
  load: Load,
  { broker }: Runner,
  publishers: number,
  seconds: number,
): Promise<Sample> {
  const own = broker as OurBroker;
  const before = await own.counts(STREAM);
  const { port, pid } = own;
  const result = await load.closedLoop({ port, pid, publishers, payloadBytes: 64, topic: TOPIC, seconds });
  check('what ended it', result.failure, null);
  await own.checkWritten(STREAM, result.acknowledged, before);
  return {
    p50: percentile(result.latencies, 0.5),
    p99: percentile(result.latencies, 0.99),
    most: percentile(result.latencies, 1),
    rate: result.acknowledged / result.seconds,
    cpu: cpuSince(result.cpuBefore, pid, result.acknowledged).process,
  };
}

/** Of the throughput without a journal. */
function targets(rows: readonly Row[]): Target[] {
  const share = (kase: string, level: string, limit: number): Target => ({
    what: `${kase}: ${level}, of none`,
    unit: 'x',
    value: medianOf(rowOf(rows, kase, level), 'rate') / medianOf(rowOf(rows, kase, 'none'), 'rate'),
    limit,
    atLeast: true,
  });
  return [
    share(FLOWS[0].case, 'process', 0.9),
    share(FLOWS[0].case, 'interval', 0.85),
    share(FLOWS[1].case, 'strict', 0.3),
  ];
}

import type { Flow } from './brokers/contestant.js';
import { peers } from './brokers/peers.js';
import { CAPTURED, DROP_OLDEST, NOT_CAPTURED, ours } from './brokers/variants.js';
import { against, type Goal, goals } from './comparison.js';
import { COST_NOTES, COSTS, flowSample } from './flow-sample.js';
import type { Answer, Run } from './question.js';
import { alternate } from './rounds.js';
import { medianOf, type Row, rowOf, type Target } from './table.js';
import { together } from './together.js';

const KIB = 1024;

interface Shape extends Omit<Flow, 'messages' | 'seconds'> {
  readonly case: string;
  /** Whether it is also tried with a ring that drops. */
  readonly drops: boolean;
  /** Least ratio of messages/s to a peer's. */
  readonly faster: Readonly<Record<string, number>>;
}

const ONE = { publishers: 1, subscribers: 1, payloadBytes: 64, drops: false } as const;
const PLAIN = 'QoS 0, 64 B, 1 to 1';

const SHAPES: readonly Shape[] = [
  { ...ONE, case: PLAIN, qos: 0, drops: true, faster: { mosquitto: 2.5, aedes: 3 } },
  { ...ONE, case: 'QoS 0, 64 B, 1 to 20', qos: 0, subscribers: 20, faster: { mosquitto: 8, aedes: 15 } },
  { ...ONE, case: 'QoS 0, 64 B, 50 to 1', qos: 0, publishers: 50, faster: { mosquitto: 2.5, aedes: 15 } },
  {
    ...ONE,
    case: 'QoS 0, 4 KiB, 1 to 1',
    qos: 0,
    payloadBytes: 4 * KIB,
    drops: true,
    faster: { mosquitto: 1.5, aedes: 1.5 },
  },
  {
    ...ONE,
    case: 'QoS 0, 256 KiB, 1 to 1',
    qos: 0,
    payloadBytes: 256 * KIB,
    drops: true,
    faster: { mosquitto: 1, aedes: 1.2 },
  },
  { ...ONE, case: 'QoS 1, 64 B, 1 to 1', qos: 1, faster: { mosquitto: 2.5, aedes: 2.5 } },
  { ...ONE, case: 'QoS 1, 64 B, 50 to 1', qos: 1, publishers: 50, faster: { mosquitto: 2.5, aedes: 2.5 } },
  { ...ONE, case: 'QoS 2, 64 B, 1 to 1', qos: 2, faster: { mosquitto: 2, aedes: 2.5 } },
];

/** At most, in percent: what captured messages are slower than others. */
const CAPTURE_LIMIT = 10;

/** How fast messages are routed, with every one captured and recorded, beside brokers that record none. */
export async function routing(run: Run): Promise<Answer> {
  const others = await peers(run.folder);
  const dropping = ours(run.folder, DROP_OLDEST);
  const entrants = [ours(run.folder, CAPTURED), dropping, ours(run.folder, NOT_CAPTURED), ...others.entrants];
  const limits = ({ payloadBytes }: Pick<Flow, 'payloadBytes'>) =>
    run.quick
      ? { messages: payloadBytes > 64 * KIB ? 10 : 200, seconds: 10 }
      : { messages: Number.POSITIVE_INFINITY, seconds: 2 };
  const rows = await together(entrants, async (runners, load) => {
    const all: Row[] = [];
    for (const { case: kase, drops, faster: _, ...shape } of SHAPES) {
      const contenders = runners
        .filter(({ entrant }) => drops || entrant !== dropping)
        .map((runner) => ({
          case: kase,
          who: runner.entrant.who,
          ours: runner.entrant.ours,
          measure: async () => (await flowSample(load, runner, { ...shape, ...limits(shape) })).sample,
        }));
      all.push(...(await alternate(run, contenders)));
    }
    return all;
  });
  return {
    tables: [
      {
        title: 'Routing, beside brokers that do not record',
        metrics: [{ key: 'rate', title: 'deliveries/s', digits: 0 }, ...COSTS],
        moreIsBetter: true,
        rows,
      },
    ],
    targets: targets(rows),
    notes: [
      ...COST_NOTES,
      ...others.notes,
      'At most 4 MiB, with QoS 1 and 2 at most 100 messages a publisher, are on their way.',
      'mqtt-stream captures into a stream of the default configuration; where the recorder is slower than the flow, publishers wait.',
      'drop-oldest: publishers do not wait; what the recorder could not write in time is counted, and in no file.',
    ],
  };
}

function targets(rows: readonly Row[]): Target[] {
  const { who } = CAPTURED;
  const wanted: Goal[] = SHAPES.flatMap(({ case: kase, faster }) =>
    goals(kase, 'rate', 'deliveries/s', true, faster),
  );
  wanted.push(...goals(PLAIN, 'cpu', 'CPU/message', false, { mosquitto: 0.45 }));
  const rate = (variant: string) => medianOf(rowOf(rows, PLAIN, variant), 'rate');
  return [
    ...wanted.flatMap((goal) => against(rows, who, goal)),
    {
      what: `${PLAIN}: without capture it is faster`,
      unit: '%',
      value: (rate(NOT_CAPTURED.who) / rate(who) - 1) * 100,
      limit: CAPTURE_LIMIT,
      atLeast: false,
    },
  ];
}

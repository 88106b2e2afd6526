import type { Flow } from './brokers/contestant.js';
import { peers } from './brokers/peers.js';
import { CAPTURED, NOT_CAPTURED, ours } from './brokers/variants.js';
import { against, goals } from './comparison.js';
import { COST_NOTES, COSTS, flowSample } from './flow-sample.js';
import { type Answer, check, type Run } from './question.js';
import { alternate } from './rounds.js';
import { percentile } from './summary.js';
import type { Row, Sample } from './table.js';
import { type Runner, together } from './together.js';

type Shape = Omit<Flow, 'messages' | 'seconds'> & { readonly case: string; readonly rate: number };

const BUSY: Shape = {
  case: '20,000 messages/s, QoS 1, 64 B, 100 pairs',
  rate: 20_000,
  qos: 1,
  payloadBytes: 64,
  publishers: 100,
  subscribers: 100,
  pairs: true,
};
const CALM: Shape = {
  case: '1,000 messages/s, QoS 0, 64 B, 1 to 1',
  rate: 1000,
  qos: 0,
  payloadBytes: 64,
  publishers: 1,
  subscribers: 1,
};
/** Of the rate: a broker that does not carry it has no latency at it. */
const RATE_SHARE = 0.9;
/** Not counted at the beginning of a flow: 200 connections are new, and the collector moves what they are made of. */
const SETTLE_SECONDS = 2;
const SECONDS = 5;

/** How long a message takes at a fixed rate. */
export async function latency(run: Run): Promise<Answer> {
  const others = await peers(run.folder);
  const entrants = [ours(run.folder, CAPTURED), ours(run.folder, NOT_CAPTURED), ...others.entrants];
  const limits = { messages: Number.POSITIVE_INFINITY, seconds: run.quick ? 0.1 : SECONDS };
  const settle = run.quick ? 0 : SETTLE_SECONDS;
  const rows = await together(entrants, async (runners, load) => {
    const all: Row[] = [];
    for (const { case: kase, ...shape } of [BUSY, CALM]) {
      const measure = async (runner: Runner): Promise<Sample> => {
        const { flow, sample } = await flowSample(load, runner, { ...shape, ...limits, latencies: true });
        if (!run.quick) check('kept up with the rate', sample.messages >= RATE_SHARE * shape.rate, true);
        return { ...sample, ...percentiles(flow.latencies, settle) };
      };
      const contenders = runners.map((runner) => ({
        case: kase,
        who: runner.entrant.who,
        ours: runner.entrant.ours,
        measure: () => measure(runner),
      }));
      all.push(...(await alternate(run, contenders)));
    }
    return all;
  });
  return {
    tables: [
      {
        title: 'Latency at a fixed rate',
        metrics: [
          { key: 'p99', title: 'p99 ms', digits: 3 },
          { key: 'p50', title: 'p50 ms', digits: 3 },
          { key: 'p999', title: 'p99.9 ms', digits: 3 },
          { key: 'messages', title: 'messages/s', digits: 0 },
          ...COSTS,
        ],
        moreIsBetter: false,
        rows,
      },
    ],
    targets: goals(BUSY.case, 'p99', 'p99', false, { mosquitto: 1, aedes: 1 }).flatMap((goal) =>
      against(rows, CAPTURED.who, goal),
    ),
    notes: [
      ...COST_NOTES,
      ...others.notes,
      'From before a client writes a message, or from when it was due if that is over 2 ms ago, until another has read it.',
      `The first ${SETTLE_SECONDS} s of a flow are not counted. In pairs each publisher has a topic and a subscriber of its own.`,
    ],
  };
}

/** `pairs`: see `FlowResult`. */
function percentiles(pairs: Float64Array, settle: number): Sample {
  let first = Number.POSITIVE_INFINITY;
  for (let i = 0; i < pairs.length; i += 2) first = Math.min(first, pairs[i]);
  const counted: number[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] - first >= settle * 1000) counted.push(pairs[i + 1]);
  }
  return { p50: percentile(counted, 0.5), p99: percentile(counted, 0.99), p999: percentile(counted, 0.999) };
}

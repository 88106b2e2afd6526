import type { Entrant } from './brokers/contestant.js';
import { peers } from './brokers/peers.js';
import { CAPTURED, ours } from './brokers/variants.js';
import { flowSample } from './flow-sample.js';
import { Load } from './load/load.js';
import { peakResidentBytes } from './process-cost.js';
import type { Answer, Run } from './question.js';
import { alternate, type Contender } from './rounds.js';
import { medianOf, type Row, rowOf } from './table.js';
import { fresh } from './together.js';

const MIB = 1024 * 1024;
const SUBSCRIBERS = 5;
const NONE = 'QoS 0, 64 B, 1 to 5, all read';
const ONE = 'QoS 0, 64 B, 1 to 5, one does not';
/** At most, in percent. */
const LIMIT = 10;

/** Whether a subscriber that does not read slows the others. */
export async function stalled(run: Run): Promise<Answer> {
  const others = await peers(run.folder);
  const entrants = [ours(run.folder, CAPTURED), ...others.entrants];
  const limits = run.quick
    ? { messages: 200, seconds: 10 }
    : { messages: Number.POSITIVE_INFINITY, seconds: 2 };
  const load = new Load();
  const contender = (entrant: Entrant, kase: string, stalled: number): Contender => ({
    case: kase,
    who: entrant.who,
    ours: entrant.ours,
    measure: () =>
      fresh(entrant, async (contestant) => {
        const plan = { qos: 0, payloadBytes: 64, publishers: 1, subscribers: SUBSCRIBERS, stalled } as const;
        const { sample } = await flowSample(load, contestant, { ...plan, ...limits });
        return { ...sample, peak: peakResidentBytes(contestant.broker.pid) / MIB };
      }),
  });
  let rows: Row[];
  try {
    rows = await alternate(run, [
      ...entrants.map((entrant) => contender(entrant, NONE, 0)),
      ...entrants.map((entrant) => contender(entrant, ONE, 1)),
    ]);
  } finally {
    await load.stop();
  }
  const rate = (kase: string) => medianOf(rowOf(rows, kase, CAPTURED.who), 'messages');
  return {
    tables: [
      {
        title: 'Beside a subscriber that does not read',
        metrics: [
          { key: 'messages', title: 'messages/s', digits: 0 },
          { key: 'peak', title: 'peak RSS MiB', digits: 0 },
          { key: 'cpu', title: 'CPU µs/message', digits: 2 },
          { key: 'generator', title: 'generator busy', digits: 2 },
        ],
        moreIsBetter: true,
        rows,
      },
    ],
    targets: [
      {
        what: 'a stalled subscriber slows the others by',
        unit: '%',
        value: (1 - rate(ONE) / rate(NONE)) * 100,
        limit: LIMIT,
        atLeast: false,
      },
    ],
    notes: [
      ...others.notes,
      'A new process each time. Those that read get every message, which is checked; nothing is expected of the other one, to which little is written.',
      'mqtt-stream drops what does not fit in the queue of the one that does not read, and counts it; mosquitto, without a bound, keeps it.',
    ],
  };
}

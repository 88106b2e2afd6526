import type { Entrant, Flow } from './brokers/contestant.js';
import { peers } from './brokers/peers.js';
import { CAPTURED, NOT_CAPTURED, ours } from './brokers/variants.js';
import { flowSample } from './flow-sample.js';
import { Load } from './load/load.js';
import { residentBytes } from './process-cost.js';
import type { Answer, Run } from './question.js';
import { alternate, type Contender } from './rounds.js';
import type { Row } from './table.js';
import { fresh } from './together.js';

const MIB = 1024 * 1024;
const CROWD_CLIENTS = 4;
/** Of the filters of the crowd, those that match a topic. */
const MATCHING_SHARE = 0.01;
/** A broker that is slower gets through fewer topics. */
const MOST_SECONDS = 20;

/** What many subscriptions and topics cost. */
export async function matching(run: Run): Promise<Answer> {
  const topics = run.quick ? 2000 : 1_000_000;
  const filters = run.quick ? 1000 : 100_000;
  const plain: Flow = {
    qos: 0,
    payloadBytes: 64,
    publishers: 1,
    subscribers: 1,
    topics,
    messages: topics,
    seconds: MOST_SECONDS,
  };
  const crowd = { clients: CROWD_CLIENTS, filters, matching: filters * MATCHING_SHARE };
  const others = await peers(run.folder);
  const entrants = [ours(run.folder, CAPTURED), ours(run.folder, NOT_CAPTURED), ...others.entrants];
  const load = new Load();
  const contender = (entrant: Entrant, kase: string, plan: Flow): Contender => ({
    case: kase,
    who: entrant.who,
    ours: entrant.ours,
    measure: () =>
      fresh(entrant, async (contestant) => {
        const { pid } = contestant.broker;
        const before = residentBytes(pid);
        const { flow, sample } = await flowSample(load, contestant, plan);
        return { ...sample, sent: flow.sent, growth: (residentBytes(pid) - before) / MIB };
      }),
  });
  const named = (count: number) => `${count.toLocaleString('en-US')} subscription${count === 1 ? '' : 's'}`;
  let rows: Row[];
  try {
    rows = await alternate(run, [
      ...entrants.map((entrant) => contender(entrant, named(1), plain)),
      ...entrants.map((entrant) => contender(entrant, named(filters + 1), { ...plain, crowd })),
    ]);
  } finally {
    await load.stop();
  }
  return {
    tables: [
      {
        title: 'Messages that are each on a topic of their own',
        metrics: [
          { key: 'messages', title: 'messages/s', digits: 0 },
          { key: 'sent', title: 'topics', digits: 0 },
          { key: 'growth', title: 'RSS grew by MiB', digits: 0 },
          { key: 'cpu', title: 'CPU µs/message', digits: 2 },
          { key: 'generator', title: 'generator busy', digits: 2 },
        ],
        moreIsBetter: true,
        rows,
      },
    ],
    targets: [],
    notes: [
      ...others.notes,
      `QoS 0, 64 B, one publisher; one client has everything. ${CROWD_CLIENTS} others hold the rest: a third exact, a third with +, a third with #; one in ${1 / MATCHING_SHARE} matches one topic, the rest none. Their deliveries are counted and checked.`,
      `A new process each time; its memory is read before the clients connect and after the flow, which is ${topics.toLocaleString('en-US')} messages or ${MOST_SECONDS} s long.`,
    ],
  };
}

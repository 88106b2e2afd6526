import { peers } from './brokers/peers.js';
import { CAPTURED, ours } from './brokers/variants.js';
import { COST_NOTES, COSTS, flowSample } from './flow-sample.js';
import type { Answer, Run } from './question.js';
import { alternate } from './rounds.js';
import { medianOf, rowOf } from './table.js';
import { together } from './together.js';

const SHAPE = { qos: 0, payloadBytes: 64, publishers: 1, subscribers: 1 } as const;
const WEBSOCKET = 'QoS 0, 64 B, 1 to 1, WebSocket';
const TCP = 'QoS 0, 64 B, 1 to 1, TCP';
/** At least, in percent of the speed over TCP. */
const LIMIT = 60;

/** What MQTT over WebSocket costs. */
export async function websocket(run: Run): Promise<Answer> {
  const others = await peers(run.folder, 'ws');
  const overTcp = ours(run.folder, CAPTURED);
  const entrants = [overTcp, ours(run.folder, CAPTURED, 'ws'), ...others.entrants];
  const limits = run.quick
    ? { messages: 200, seconds: 10 }
    : { messages: Number.POSITIVE_INFINITY, seconds: 2 };
  const rows = await together(entrants, (runners, load) =>
    alternate(
      run,
      runners.map((runner) => ({
        case: runner.entrant === overTcp ? TCP : WEBSOCKET,
        who: runner.entrant.who,
        ours: runner.entrant.ours,
        measure: async () => (await flowSample(load, runner, { ...SHAPE, ...limits })).sample,
      })),
    ),
  );
  const rate = (kase: string) => medianOf(rowOf(rows, kase, CAPTURED.who), 'rate');
  return {
    tables: [
      {
        title: 'Over WebSocket',
        metrics: [{ key: 'rate', title: 'deliveries/s', digits: 0 }, ...COSTS],
        moreIsBetter: true,
        rows,
      },
    ],
    targets: [
      {
        what: 'WebSocket: deliveries/s, of those over TCP',
        unit: '%',
        value: (rate(WEBSOCKET) / rate(TCP)) * 100,
        limit: LIMIT,
        atLeast: true,
      },
    ],
    notes: [
      ...COST_NOTES,
      ...others.notes,
      'Clients send one masked frame for what they write at once over TCP, up to 64 KiB; brokers send as they do.',
    ],
  };
}

import { setTimeout as delay } from 'node:timers/promises';
import type { ConfigInput } from '../src/config/schema.js';
import { TOPIC } from './brokers/contestant.js';
import { OurBroker } from './brokers/ours.js';
import { DuckDb } from './duckdb.js';
import { KilledFlow, stampOf } from './load/killed-flow.js';
import { type Answer, check, type Run } from './question.js';
import { alternate } from './rounds.js';
import { percentile } from './summary.js';
import { medianOf, rowOf, type Sample } from './table.js';

const STREAM = 'bench';
const PAYLOAD_BYTES = [64, 4096];
/** Messages a millisecond. */
const PACE = { 64: 20, 4096: 4 } as Record<number, number>;
/** Files as they were made: what is merged is deleted at any time. */
const CONFIG: ConfigInput = {
  log: { level: 'fatal' },
  streams: [{ name: STREAM, topics: [`${TOPIC}/#`], merge: { enabled: false } }],
};
const WHO = 'process';
const GOAL_MS = 20;

/** What `kill -9` takes of messages that nobody waits for: those of the last moments, which were in the ring only. */
export async function kills(run: Run): Promise<Answer> {
  const duckdb = await DuckDb.open();
  try {
    const rows = await alternate(
      run,
      PAYLOAD_BYTES.map((bytes) => ({
        case: caseOf(bytes),
        who: WHO,
        ours: true,
        measure: () => measure(run, duckdb, bytes),
      })),
    );
    return {
      tables: [
        {
          title: 'Taken by a kill, of QoS 0',
          metrics: [
            { key: 'p50', title: 'median ms', digits: 1 },
            { key: 'worst', title: 'worst ms', digits: 1 },
            { key: 'kills', title: 'kills a round', digits: 0 },
            { key: 'lost', title: 'lost messages a kill', digits: 0 },
          ],
          moreIsBetter: false,
          rows,
        },
      ],
      targets: PAYLOAD_BYTES.map((bytes) => ({
        what: `${caseOf(bytes)}: worst kill of a round`,
        unit: 'ms',
        value: medianOf(rowOf(rows, caseOf(bytes), WHO), 'worst'),
        limit: GOAL_MS,
        atLeast: false,
      })),
      notes: [
        'A subscriber has what the broker routed; after the next start DuckDB says which message is the last in files. Between both lies what was lost.',
        'All that came before is there: counted for every kill.',
      ],
    };
  } finally {
    duckdb.close();
  }
}

function caseOf(bytes: number): string {
  return `QoS 0, ${bytes} B, ${PACE[bytes] * 1000} messages/s`;
}

/** Kills on one data folder, at times that have nothing to do with what the broker does. */
async function measure(run: Run, duckdb: DuckDb, bytes: number): Promise<Sample> {
  const losses: number[] = [];
  let lost = 0;
  const times = run.quick ? 1 : 10;
  let broker = await OurBroker.start(run.folder, CONFIG);
  try {
    for (let round = 0; round < times; round++) {
      const topic = `${TOPIC}/${round}`;
      const flow = await KilledFlow.start(broker.port, topic, bytes, PACE[bytes]);
      await delay(run.quick ? 300 : 1000 + 137 * round);
      await broker.kill();
      await flow.ended;
      broker = await broker.again(CONFIG);
      await broker.restored();
      const kept = await duckdb.lastOf(broker.files(STREAM), topic);
      const last = stampOf(kept.payload);
      check('messages in files up to the last one', kept.count, last.number + 1);
      losses.push(Math.max(0, flow.last.at - last.at));
      lost += Math.max(0, flow.last.number - last.number);
    }
  } finally {
    await broker.stop();
  }
  return { p50: percentile(losses, 0.5), worst: Math.max(...losses), kills: times, lost: lost / times };
}

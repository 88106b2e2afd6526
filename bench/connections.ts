import { setTimeout as delay } from 'node:timers/promises';
import { peers } from './brokers/peers.js';
import type { RunningBroker } from './brokers/running-broker.js';
import { CAPTURED, ours } from './brokers/variants.js';
import { Load } from './load/load.js';
import { residentBytes } from './process-cost.js';
import { type Answer, check, type Run } from './question.js';
import { alternate } from './rounds.js';
import { medianOf, type Row, rowOf, type Sample } from './table.js';
import { fresh } from './together.js';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Connected before, so that what the first ones cost is not divided among the others. */
const FIRST = 100;
/** In KiB: at most what a connection may cost more than one of stock aedes. */
const LIMIT_KIB = 20;
const STEADY_BYTES = MIB / 4;
const STEADY_READINGS = 10;
const READING_MS = 100;
const MOST_READINGS = 100;

/** What a connection costs that does nothing. */
export async function connections(run: Run): Promise<Answer> {
  const count = run.quick ? 50 : 1000;
  const others = await peers(run.folder);
  const entrants = [ours(run.folder, CAPTURED), ...others.entrants];
  const kase = `${count.toLocaleString('en-US')} idle connections`;
  const load = new Load();
  let rows: Row[];
  try {
    rows = await alternate(
      run,
      entrants.map((entrant) => ({
        case: kase,
        who: entrant.who,
        ours: entrant.ours,
        measure: () => fresh(entrant, ({ broker }) => measure(load, broker, count, run.quick)),
      })),
    );
  } finally {
    await load.stop();
  }
  const stock = rows.find(({ who, failure }) => who.startsWith('aedes') && failure === null);
  const each = (row: Row) => medianOf(row, 'each');
  return {
    tables: [
      {
        title: 'Resident memory of idle connections',
        metrics: [
          { key: 'each', title: 'KiB each', digits: 1 },
          { key: 'before', title: 'MiB before', digits: 0 },
          { key: 'after', title: 'MiB with them', digits: 0 },
        ],
        moreIsBetter: false,
        rows,
      },
    ],
    targets:
      stock === undefined
        ? []
        : [
            {
              what: `an idle connection, beyond one of ${stock.who}`,
              unit: 'KiB',
              value: each(rowOf(rows, kase, CAPTURED.who)) - each(stock),
              limit: LIMIT_KIB,
              atLeast: false,
            },
          ],
    notes: [
      ...others.notes,
      `A new process each time, which has ${FIRST} connections before; memory is read once it is steady.`,
    ],
  };
}

async function measure(
  load: Load,
  { pid, port }: RunningBroker,
  count: number,
  quick: boolean,
): Promise<Sample> {
  const size = async () => (quick ? residentBytes(pid) : steady(pid));
  let lost: number;
  let before: number;
  let after: number;
  try {
    await load.connect(port, FIRST);
    before = await size();
    await load.connect(port, count);
    after = await size();
  } finally {
    lost = await load.disconnect();
  }
  check('idle connections that the broker has closed', lost, 0);
  return { each: (after - before) / count / KIB, before: before / MIB, after: after / MIB };
}

/** Resident memory once it has not moved for a second, or the last reading of ten seconds. */
async function steady(pid: number): Promise<number> {
  const readings = [residentBytes(pid)];
  while (readings.length < MOST_READINGS) {
    await delay(READING_MS);
    readings.push(residentBytes(pid));
    const last = readings.slice(-STEADY_READINGS);
    if (last.length === STEADY_READINGS && Math.max(...last) - Math.min(...last) <= STEADY_BYTES) break;
  }
  return readings.at(-1)!;
}

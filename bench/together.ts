import type { Contestant, Entrant } from './brokers/contestant.js';
import { Load } from './load/load.js';

export interface Runner extends Contestant {
  readonly entrant: Entrant;
}

/** Starts all of them and a load generator, and stops them afterwards. */
export async function together<T>(
  entrants: readonly Entrant[],
  use: (runners: readonly Runner[], load: Load) => Promise<T>,
): Promise<T> {
  const load = new Load();
  const runners: Runner[] = [];
  try {
    for (const entrant of entrants) runners.push({ entrant, ...(await entrant.start()) });
    return await use(runners, load);
  } finally {
    await Promise.all([load, ...runners.map(({ broker }) => broker)].map((one) => one.stop()));
  }
}

/** Starts one of them for one measurement: nothing that an earlier one has left is in its memory. */
export async function fresh<T>(
  entrant: Entrant,
  measure: (contestant: Contestant) => Promise<T>,
): Promise<T> {
  const contestant = await entrant.start();
  try {
    return await measure(contestant);
  } finally {
    await contestant.broker.stop();
  }
}

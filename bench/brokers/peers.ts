import type { Protocol } from '../load/plan.js';
import { startAedes } from './aedes.js';
import { type Entrant, planFor } from './contestant.js';
import { startMosquitto } from './mosquitto.js';
import { startNanomq } from './nanomq.js';
import { type StartBroker, Unavailable } from './running-broker.js';

const PEERS: readonly StartBroker[] = [startAedes, startMosquitto, startNanomq];

export interface Peers {
  readonly entrants: readonly Entrant[];
  /** Why others are missing. */
  readonly notes: readonly string[];
}

/** The brokers of others that work here. */
export async function peers(folder: string, protocol: Protocol = 'tcp'): Promise<Peers> {
  const entrants: Entrant[] = [];
  const notes: string[] = [];
  for (const start of PEERS) {
    try {
      const broker = await start(folder, protocol);
      await broker.stop();
      entrants.push(entrant(broker.name, () => start(folder, protocol), protocol));
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      notes.push(error.message);
    }
  }
  return { entrants, notes };
}

function entrant(who: string, start: () => ReturnType<StartBroker>, protocol: Protocol): Entrant {
  return {
    who,
    ours: false,
    start: async () => {
      const broker = await start();
      return {
        broker,
        run: async (load, plan) => ({
          flow: await load.run(planFor(broker, protocol, plan)),
          inFiles: Number.NaN,
        }),
      };
    },
  };
}

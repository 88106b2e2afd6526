/** How the machines are made whose power is cut. */
import type { Durability } from '../../src/recorder/protocol.js';
import { stream } from '../recorder/rig.js';
import { Drive, type Plan } from './drive.js';
import { quickEncoder } from './rows.js';

/** Of a machine: so many processes. */
const LIVES = 25;
/** Of an operation to fail, on a disk that has its moments. */
const FAULTS = 0.1;

export const LEVELS = ['none', 'process', 'interval', 'strict'] as const;
const HOUR_MS = 3_600_000;

export function plan(durability: Durability): Plan {
  return {
    stream: stream('vehicle', { messages: 12, every: 10_000 }, durability),
    ring: { messages: 256, bytes: 64 * 1024, whenFull: 'flush' },
    retention: { maxBytes: 0, maxFiles: 6, maxAge: 0 },
    onDiskFull: 'stop-capture',
    reserve: 0,
    mergeBelow: 0,
    encoder: quickEncoder,
    deferred: false,
    steps: 60,
    midnights: 0.4,
    passing: 25_000,
  };
}

type Change = (before: Plan) => Plan;

const deferred: Change = (before) => ({ ...before, deferred: true });

const merging: Change = (before) => ({
  ...before,
  retention: { maxBytes: 0, maxFiles: 24, maxAge: 0 },
  mergeBelow: 30_000,
  midnights: 0.15,
});

const encrypted: Change = (before) => ({
  ...before,
  stream: { ...before.stream, encryption: { enabled: true } },
});

const filling: Change = (before) => ({
  ...before,
  onDiskFull: 'drop-oldest-files',
  reserve: 12_000,
  retention: { maxBytes: 0, maxFiles: 30, maxAge: 0 },
  fills: true,
});

const thrifty: Change = (before) => ({
  ...before,
  stream: { ...before.stream, writeBudget: { perDay: 24 * 20_000, stopJournal: true } },
  passing: HOUR_MS,
});

const dropping: Change = (before) => ({
  ...before,
  ring: { messages: 8, bytes: 8 * 1024, whenFull: 'drop-oldest' },
});

const all: Change = (before) => dropping(filling(encrypted(merging(deferred(before)))));

/** What a machine may do besides. */
export const CHANGES = { deferred, merging, encrypted, filling, thrifty, dropping, all };

export const failing: Change = (before) => ({ ...before, faults: FAULTS });

/** A machine from its first start to its last. Rejects with the seed if it is not as it has to be. */
export async function driven(plan: Plan, seed: number): Promise<Drive> {
  const drive = new Drive(plan, seed);
  try {
    for (let life = 0; life < LIVES; life++) await drive.live();
    await drive.end();
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  return drive;
}

/** What each level promises holds after every power cut, wherever it comes. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Encoder, parquetEncoder } from '../../src/recorder/parquet.js';
import type { Durability } from '../../src/recorder/protocol.js';
import { stream } from '../recorder/rig.js';
import { Drive, type Plan } from './drive.js';
import { quickEncoder } from './rows.js';
import { secondReader } from './second-reader.js';

/** Of each level; more for a long run. */
const CUTS = Number(process.env.TEST_POWER_CUTS ?? 600);
/** Of a machine: so many processes. */
const LIVES = 25;
/** Of an operation to fail, on a disk that has its moments. */
const FAULTS = 0.1;

function plan(durability: Durability, encoder: Encoder = quickEncoder): Plan {
  return {
    stream: stream('vehicle', { messages: 12, every: 10_000 }, durability),
    retention: { maxBytes: 0, maxFiles: 6, maxAge: 0 },
    encoder,
    steps: 60,
  };
}

async function driven(plan: Plan, seed: number): Promise<Drive> {
  const drive = new Drive(plan, seed);
  try {
    for (let life = 0; life < LIVES; life++) await drive.live();
    await drive.end();
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  return drive;
}

/** Drives machines until the power was cut so often, and tells what was seen; in which steps. */
async function cutPower(t: TestContext, times: number, plan: Plan, from: number): Promise<Set<string>> {
  const steps = new Map<string, number>();
  const sum = { cuts: 0, restoring: 0, given: 0, acknowledged: 0, lost: 0 };
  for (let seed = from; sum.cuts < times; seed++) {
    const { cuts, restoring, ledger } = await driven(plan, seed);
    for (const [step, count] of cuts) {
      steps.set(step, (steps.get(step) ?? 0) + count);
      sum.cuts += count;
    }
    sum.restoring += restoring;
    sum.given += ledger.given;
    sum.acknowledged += ledger.acknowledged;
    sum.lost += ledger.lost;
  }
  t.diagnostic(JSON.stringify(sum));
  t.diagnostic([...steps].map(([step, count]) => `${step} ${count}`).join(', '));
  assert.ok(sum.restoring > 0);
  return new Set(steps.keys());
}

const FILE_STEPS = ['create', 'write', 'sync', 'rename'].map((operation) =>
  operation === 'rename' ? 'rename parquet' : `${operation} parquet.tmp`,
);
const OTHER_STEPS = ['idle', 'mkdir date', 'sync date', 'remove parquet', 'rename clock.json', 'sync data'];
const JOURNAL_STEPS = ['create segment', 'write segment', 'remove segment'];
const SYNC_STEPS = ['sync segment', 'sync journal'];
const STEPS: Record<Durability, readonly string[]> = {
  none: [...FILE_STEPS, ...OTHER_STEPS],
  process: [...FILE_STEPS, ...OTHER_STEPS, ...JOURNAL_STEPS],
  interval: [...FILE_STEPS, ...OTHER_STEPS, ...JOURNAL_STEPS, ...SYNC_STEPS],
  strict: [...FILE_STEPS, ...OTHER_STEPS, ...JOURNAL_STEPS, ...SYNC_STEPS],
};

for (const durability of ['none', 'process', 'interval', 'strict'] as const) {
  test(`${durability}: nothing that was promised is lost, nothing is there twice`, async (t) => {
    const cut = await cutPower(t, CUTS, plan(durability), 0);
    assert.deepEqual(
      STEPS[durability].filter((step) => !cut.has(step)),
      [],
      'the power was cut in the midst of all steps',
    );
  });

  test(`${durability}: nor on a disk that fails now and then`, async (t) => {
    await cutPower(t, CUTS / 4, { ...plan(durability), faults: FAULTS }, 100_000);
  });

  test(`${durability}: nor while a file is made of what came before`, async (t) => {
    await cutPower(t, CUTS / 2, { ...plan(durability), deferred: true }, 300_000);
    await cutPower(t, CUTS / 4, { ...plan(durability), deferred: true, faults: FAULTS }, 400_000);
  });
}

test('seeds that found what the others had not', async () => {
  // A folder above the journal, whose sync had failed, was not synced again.
  await driven({ ...plan('strict'), faults: FAULTS }, 100_027);
  // A thread ended that had made a file visible, and could neither sync nor remove it: its rows were there twice.
  await driven({ ...plan('process'), faults: FAULTS }, 100_073);
  // A thread ended between a file of what was left and its report: nobody knew of it until the next start.
  await driven(plan('process'), 117);
  // A file that was removed came back, since its folder was not synced before another had its rows.
  await driven({ ...plan('process'), faults: FAULTS }, 100_284);
});

test('the files are the same to another reader', async () => {
  const duckdb = await secondReader();
  for (let seed = 200_000; seed < 200_004; seed++) {
    const drive = await driven(plan('strict', parquetEncoder), seed);
    const files = drive.visible();
    assert.ok(files.length > 1);
    const found = await drive.ledger.inspect(new Map(files));
    assert.deepEqual(
      await duckdb.keysIn(files),
      [...found].sort((a, b) => a - b),
    );
  }
});

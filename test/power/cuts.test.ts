/** What each level promises holds after every power cut, wherever it comes. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Durability } from '../../src/recorder/protocol.js';
import type { Plan } from './drive.js';
import { DIMENSIONS, type Dimension, driven, failing, LEVELS, plan } from './plans.js';

/** Of each level; more for a long run. */
const CUTS = Number(process.env.TEST_POWER_CUTS ?? 300);
/** Drives machines until the power was cut so often, and tells what was seen; in which steps. */
async function cutPower(
  t: TestContext,
  times: number,
  planOf: (seed: number) => Plan,
  from: number,
): Promise<Set<string>> {
  const steps = new Map<string, number>();
  const sum = {
    cuts: 0,
    restoring: 0,
    merging: 0,
    given: 0,
    acknowledged: 0,
    lost: 0,
    yielded: 0,
    merged: 0,
    saves: 0,
  };
  for (let seed = from; sum.cuts < times; seed++) {
    const { cuts, gapLedger, ledger, merging, restoring } = await driven(planOf(seed), seed);
    for (const [step, count] of cuts) {
      steps.set(step, (steps.get(step) ?? 0) + count);
      sum.cuts += count;
    }
    sum.restoring += restoring;
    sum.merging += merging;
    sum.given += ledger.given;
    sum.acknowledged += ledger.acknowledged;
    sum.lost += ledger.lost;
    sum.yielded += ledger.yielded;
    sum.merged += ledger.merged;
    sum.saves += gapLedger.saves;
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

for (const durability of LEVELS) {
  test(`${durability}: nothing that was promised is lost, nothing is there twice`, async (t) => {
    const cut = await cutPower(t, CUTS, () => plan(durability), 0);
    assert.deepEqual(
      STEPS[durability].filter((step) => !cut.has(step)),
      [],
      'the power was cut in the midst of all steps',
    );
  });

  test(`${durability}: nor on a disk that fails now and then`, async (t) => {
    await cutPower(t, CUTS / 4, () => failing(plan(durability)), 100_000);
  });
}

for (const name of Object.keys(DIMENSIONS) as Dimension[]) {
  const with_ = DIMENSIONS[name];
  test(`${name}: nothing that was promised is lost, nothing is there twice`, async (t) => {
    await cutPower(t, CUTS, (seed) => with_(plan(LEVELS[seed % 4]!)), 200_000);
  });
  if (name !== 'filling')
    test(`${name}: nor on a disk that fails now and then`, async (t) => {
      await cutPower(t, CUTS / 4, (seed) => failing(with_(plan(LEVELS[seed % 4]!))), 300_000);
    });
}

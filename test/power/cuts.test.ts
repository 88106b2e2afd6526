/** What each level promises holds after every power cut, wherever it comes. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parquetEncoder } from '../../src/recorder/files/parquet.js';
import type { Durability } from '../../src/recorder/protocol.js';
import type { Drive, Plan } from './drive.js';
import { CHANGES, driven, failing, LEVELS, plan } from './plans.js';
import { opened } from './rows.js';
import { secondReader } from './second-reader.js';

/** Of each level, and each kind of machine; more for a long run. */
const CUTS = Number(process.env.TEST_POWER_CUTS ?? 300);

/** What was seen of a machine, in numbers. */
function seen({ gapLedger, ledger, merging, restoring }: Drive) {
  const { acknowledged, given, lost, merged, yielded } = ledger;
  return { restoring, merging, given, acknowledged, lost, yielded, merged, gapsSaved: gapLedger.saves };
}

/** Drives machines until the power was cut so often, and tells what was seen; in which steps. */
async function cutPower(
  t: TestContext,
  times: number,
  planOf: (level: Durability) => Plan,
  from: number,
): Promise<Set<string>> {
  const steps = new Map<string, number>();
  const sums = new Map<string, number>();
  const add = (to: Map<string, number>, what: string, count: number) =>
    to.set(what, (to.get(what) ?? 0) + count);
  for (let seed = from; (sums.get('cuts') ?? 0) < times; seed++) {
    const drive = await driven(planOf(LEVELS[seed % LEVELS.length]!), seed);
    for (const [step, count] of drive.cuts) {
      add(steps, step, count);
      add(sums, 'cuts', count);
    }
    for (const [what, count] of Object.entries(seen(drive))) add(sums, what, count);
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(sums)));
  t.diagnostic([...steps].map(([step, count]) => `${step} ${count}`).join(', '));
  assert.ok(sums.get('restoring')! > 0);
  return new Set(steps.keys());
}

function assertSteps(cut: ReadonlySet<string>, expected: readonly string[]): void {
  const missed = expected.filter((step) => !cut.has(step));
  assert.deepEqual(missed, [], 'the power was cut in the midst of all steps');
}

const FILE_STEPS = ['create parquet.tmp', 'write parquet.tmp', 'sync parquet.tmp', 'rename parquet'];
const GAP_STEPS = ['write gaps.log', 'sync gaps.log'];
const OTHER_STEPS = ['idle', 'sync date', 'remove parquet', 'rename clock.json', 'sync data', ...GAP_STEPS];
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
    assertSteps(await cutPower(t, CUTS, () => plan(durability), 0), STEPS[durability]);
  });

  test(`${durability}: nor on a disk that fails now and then`, async (t) => {
    await cutPower(t, CUTS / 4, () => failing(plan(durability)), 100_000);
  });
}

const MACHINES: Record<keyof typeof CHANGES, string> = {
  deferred: 'a file is made of what came before meanwhile',
  merging: 'files are merged',
  encrypted: 'files and journals are encrypted, and keys change',
  filling: 'the disk fills up, and the oldest files go',
  thrifty: 'more is written than may be',
  dropping: 'the ring drops what is oldest',
  all: 'all of that comes together',
};

for (const [name, what] of Object.entries(MACHINES) as [keyof typeof CHANGES, string][]) {
  test(`where ${what}: all that is promised is there once, and gaps tell of the rest`, async (t) => {
    await cutPower(t, (CUTS * 2) / 3, (level) => CHANGES[name](plan(level)), 200_000);
  });
}

test('where all of that comes together: so it is on a disk that fails now and then', async (t) => {
  const { deferred, dropping, encrypted, merging } = CHANGES;
  const change = (level: Durability) => dropping(encrypted(merging(deferred(plan(level)))));
  await cutPower(t, (CUTS * 2) / 3, (level) => failing(change(level)), 300_000);
});

test('seeds that found what the others had not', async () => {
  const { dropping, filling } = CHANGES;
  const { none, process, interval, strict } = Object.fromEntries(
    LEVELS.map((level) => [level, plan(level)]),
  ) as Record<Durability, Plan>;
  // A folder above the journal, whose sync had failed, was not synced again.
  await driven(failing(strict), 500_060);
  // Messages were captured before it was written down what the crash before may have taken.
  await driven(interval, 500_002);
  // That was told by the last file, whose name the process that died had not made durable.
  await driven(process, 510_050);
  // The record of gaps was durable, and the names of its folders were not.
  await driven(filling(none), 500_028);
  // What the ring had given up, and a recorder that ended may have had in its journal, was told by nobody.
  await driven(filling(dropping(interval)), 500_014);
  // A record of gaps that could not be read was moved before there was another one.
  await driven(failing(dropping(strict)), 500_059);
});

test('the files are the same to another reader', async () => {
  const duckdb = await secondReader();
  const { encrypted, merging } = CHANGES;
  for (let seed = 400_000; seed < 400_004; seed++) {
    const strict = { ...plan('strict'), encoder: parquetEncoder };
    const drive = await driven(seed % 2 === 0 ? strict : encrypted(merging(strict)), seed);
    const files = drive.visible();
    assert.ok(files.length > 1);
    const found = await drive.ledger.inspect(new Map(files), 'all');
    const open = files.map(async ([path, bytes]) => [path, await opened(path, bytes)] as const);
    assert.deepEqual(
      await duckdb.keysIn(await Promise.all(open)),
      [...found].sort((a, b) => a - b),
    );
  }
});

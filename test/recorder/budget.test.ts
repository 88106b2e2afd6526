import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Budget } from '../../src/recorder/budget.js';
import { MemoryDisk } from './memory-disk.js';
import { Rig, stream } from './rig.js';

const HOUR = 3_600_000;

function budget(perDay: number) {
  const clock = { now: 0 };
  const told: boolean[] = [];
  return {
    clock,
    told,
    budget: new Budget(
      perDay,
      () => clock.now,
      (exhausted) => told.push(exhausted),
    ),
  };
}

test("a start has an hour's worth; beyond that it is exhausted, and again fine with a part of it saved up", () => {
  const { budget: one, clock, told } = budget(2400);
  one.spend(100);
  assert.equal(one.exhausted, false);
  one.spend(1);
  assert.equal(one.exhausted, true);
  clock.now = HOUR / 10;
  assert.equal(one.exhausted, true, 'not at once');
  clock.now = HOUR;
  assert.equal(one.exhausted, false);
  assert.deepEqual(told, [true, false]);
});

test("what is not used is saved up, for a day's worth", () => {
  const { budget: one, clock } = budget(2400);
  clock.now = 100 * 24 * HOUR;
  one.spend(2400);
  assert.equal(one.exhausted, false);
  one.spend(1);
  assert.equal(one.exhausted, true);
});

test('without a limit nothing is exhausted', () => {
  const { budget: one } = budget(0);
  one.spend(Number.MAX_SAFE_INTEGER);
  assert.equal(one.exhausted, false);
});

function spender(durability: 'process' | 'interval' | 'strict', stopJournal: boolean) {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const shape = { ...stream('a', { every: 1000 }, durability), writeBudget: { perDay: 24_000, stopJournal } };
  const writer = rig.add(shape);
  const journal = () =>
    disk.log.filter((line) => line.startsWith('write') && line.includes('/journal')).length;
  return { rig, writer, journal };
}

test('beyond it files are made ten times less often; what a file tells includes its journal', () => {
  const { rig, writer } = spender('process', false);
  rig.append(writer, 10, 'x'.repeat(200));
  rig.settle();
  assert.deepEqual(rig.kinds(), ['budget']);
  rig.pass(9999);
  assert.deepEqual(rig.files(), []);
  rig.pass(1);
  assert.deepEqual(rig.files(), [['every', 10]]);
  const { journalBytes, journalSyncs } = rig.committed()[0]!.info;
  assert.ok(journalBytes > 2000, `${journalBytes}`);
  assert.equal(journalSyncs, 0);
});

test('where it may, the journal stops until the next file, and who waits is told', () => {
  const { rig, writer, journal } = spender('interval', true);
  rig.append(writer, 10, 'x'.repeat(200));
  rig.settle();
  const written = journal();
  rig.append(writer, 10, 'x'.repeat(200), true);
  rig.settle();
  assert.deepEqual(rig.reports.at(-1), { kind: 'safe', stream: 'a', upTo: 20 });
  rig.pass(50);
  const waits = rig.waits.length;
  rig.pass(50);
  assert.equal(rig.waits.length, waits + 1, 'it sleeps');
  assert.equal(journal(), written);
  rig.pass(24 * HOUR);
  assert.deepEqual(rig.files(), [['every', 20]]);
  rig.append(writer, 1, 'x', true);
  rig.settle();
  assert.ok(journal() > written, 'with the next batch it goes on');
});

test('strict keeps its promise whatever it costs', () => {
  const { rig, writer, journal } = spender('strict', true);
  rig.append(writer, 10, 'x'.repeat(200));
  rig.settle();
  const written = journal();
  rig.append(writer, 10, 'x', true);
  rig.settle();
  assert.ok(journal() > written);
});

test('what others write of the stream counts as well', () => {
  const { rig, writer } = spender('process', false);
  rig.settle();
  rig.post({ kind: 'wrote', stream: 'a', bytes: 1001 }, { kind: 'wrote', stream: 'none', bytes: 1 });
  rig.append(writer, 1);
  rig.settle();
  assert.deepEqual(
    rig.reports.filter(({ kind }) => kind === 'budget'),
    [{ kind: 'budget', stream: 'a', exhausted: true }],
  );
});

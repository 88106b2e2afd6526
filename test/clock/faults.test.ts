/** What is wrong with the clocks of vehicles, one after the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock } from '../../src/clock/clock.js';
import type { Correction } from '../../src/clock/correction.js';
import { CEILING_AHEAD } from '../../src/clock/store.js';
import { watchClock } from '../../src/clock/watch.js';
import { DAY, FakeFiles, FakeTime, HOUR, open, SECOND, TODAY } from './machine.js';

const MINUTE = 60 * SECOND;
const YEARS_56 = TODAY;

interface Given {
  readonly key: number;
  /** When it was, as somebody with a right watch knows. */
  readonly when: number;
}

function watched(clock: Clock) {
  const lines: string[] = [];
  let saves = 0;
  const log = {
    warn: (_: object, text: string) => lines.push(`warn ${text}`),
    debug: (_: object, text: string) => lines.push(`debug ${text}`),
  };
  watchClock(clock, log, () => saves++);
  return { lines, saves: () => saves };
}

function assertFound(clock: Clock, given: readonly Given[], start: number, end: number): void {
  const ranges = clock.keysOf(start, end);
  const found = given.filter(({ key }) => ranges.some((range) => key >= range.start && key <= range.end));
  const expected = given.filter(({ when }) => when >= start && when <= end);
  assert.deepEqual(found, expected);
}

/** A message a second. */
function drive(time: FakeTime, clock: Clock, seconds: number, ahead = 0): Given[] {
  return Array.from({ length: seconds }, () => {
    const given = { key: clock.next(), when: time.now - ahead };
    time.advance(SECOND);
    return given;
  });
}

test('boot at 1970, GPS minutes later: what came before is found at the time when it was', () => {
  const time = new FakeTime(3 * SECOND, 3 * SECOND);
  const clock = new Clock(time, { floor: 0, base: null, corrections: [] });
  const { lines } = watched(clock);
  assert.deepEqual([clock.doubtful, clock.plausible], [true, false]);
  const given = drive(time, clock, 180, -YEARS_56);
  assert.equal(given[0]!.key, 3 * SECOND);
  // Whoever asks now asks by the clock on the wall.
  assert.deepEqual(clock.keysOf(0, HOUR), [{ start: 0, end: HOUR }]);
  time.step(YEARS_56);
  given.push(...drive(time, clock, 60));
  assert.deepEqual([clock.doubtful, clock.plausible, clock.offset], [false, true, YEARS_56]);
  for (const { key, when } of given) assert.equal(clock.wallOf(key), when);
  assertFound(clock, given, YEARS_56, YEARS_56 + 2 * MINUTE);
  assertFound(clock, given, YEARS_56 + 2 * MINUTE, YEARS_56 + 4 * MINUTE);
  assertFound(clock, given, 0, DAY);
  assert.deepEqual(
    lines.map((line) => line.slice(0, 35)),
    ['warn the wall clock cannot be right', 'warn the wall clock was set, and wi'],
  );
  // It is right now: a step is a step.
  time.step(-HOUR);
  drive(time, clock, 1);
  assert.equal(clock.wallOf(given[0]!.key), given[0]!.when);
  assert.match(lines[2]!, /^warn the wall clock stepped/);
});

test('a machine without a clock of its own, every boot at 1970: each drive is found where it was', async () => {
  const time = new FakeTime(2 * SECOND, 2 * SECOND);
  const files = new FakeFiles();
  const given: Given[] = [];
  for (let day = 0; day < 4; day++) {
    const morning = YEARS_56 + day * DAY;
    const { clock, store } = await open(time, files);
    given.push(...drive(time, clock, 30, -morning));
    time.step(morning);
    given.push(...drive(time, clock, 30));
    await store.save(true);
    for (const { key, when } of given) assert.ok(Math.abs(clock.wallOf(key) - when) <= 1);
    assertFound(clock, given, morning - 1, morning + HOUR);
    time.reboot(0);
    time.now = 2 * SECOND;
  }
  assert.deepEqual(
    given,
    given.toSorted((a, b) => a.key - b.key),
  );
});

test('set in two steps: a clock that is behind the last drive is still in doubt', async () => {
  const time = new FakeTime();
  const files = new FakeFiles();
  const first = await open(time, files);
  drive(time, first.clock, 1);
  await first.store.save(true);
  // The battery is empty: the clock begins at the day when the system was built.
  const now = time.now + 5 * DAY;
  time.reboot(0);
  time.now = TODAY - 100 * DAY;
  const behind = now - time.now;
  const { clock } = await open(time, files);
  assert.equal(clock.doubtful, true);
  const given = drive(time, clock, 10, -behind);
  time.step(behind - 6 * DAY);
  given.push(...drive(time, clock, 10, -6 * DAY));
  assert.equal(clock.doubtful, true);
  time.step(6 * DAY);
  given.push(...drive(time, clock, 10));
  assert.equal(clock.doubtful, false);
  for (const { key, when } of given) assert.ok(Math.abs(clock.wallOf(key) - when) <= 1);
});

test('a restart in doubt, and the clock is set while nobody runs', async () => {
  for (const clean of [true, false]) {
    const time = new FakeTime(2 * SECOND, 2 * SECOND);
    const files = new FakeFiles();
    const first = await open(time, files);
    const given = drive(time, first.clock, 10, -YEARS_56);
    if (clean) await first.store.save(true);
    const second = await open(time, files);
    assert.equal(second.clock.doubtful, true);
    given.push(...drive(time, second.clock, 10, -YEARS_56));
    if (clean) await second.store.save(true);
    time.step(YEARS_56);
    const { clock } = await open(time, files);
    given.push(...drive(time, clock, 10));
    assert.equal(clock.doubtful, false);
    for (const { key, when } of given) assert.ok(Math.abs(clock.wallOf(key) - when) <= 10);
    // The wall clock is ahead of the keys before: they are wall time from here on.
    assert.equal(clock.offset, 0);
  }
});

test('a clock that was right and falls to 1970 is told of and not followed', () => {
  const time = new FakeTime();
  const clock = new Clock(time, { floor: 0, base: null, corrections: [] });
  const { lines, saves } = watched(clock);
  const given = drive(time, clock, 10);
  time.step(-YEARS_56);
  given.push(...drive(time, clock, 10, -YEARS_56));
  assert.equal(clock.plausible, false);
  assert.equal(clock.wallNow(), time.now + YEARS_56);
  time.step(YEARS_56 + HOUR);
  time.advance(1000);
  given.push(...drive(time, clock, 10));
  assert.equal(clock.plausible, true);
  for (const { key, when } of given) assert.equal(clock.wallOf(key), when);
  assert.deepEqual(
    lines.map((line) => line.slice(0, 32)),
    ['warn the wall clock shows a time', 'warn the wall clock stepped; key'],
  );
  assert.equal(saves(), 1);
});

test('a restart while the wall clock shows nonsense: told, and not followed either', async () => {
  const time = new FakeTime();
  const files = new FakeFiles();
  const first = await open(time, files);
  const given = drive(time, first.clock, 10);
  await first.store.save(true);
  time.step(-YEARS_56);
  const { clock } = await open(time, files);
  assert.match(watched(clock).lines[0]!, /shows a time that cannot be/);
  given.push(...drive(time, clock, 10, -YEARS_56));
  for (const { key, when } of given) assert.ok(Math.abs(clock.wallOf(key) - when) <= 1);
});

test('a leap second is smeared over a day: no time is off by more than a twentieth of a second', () => {
  for (const leap of [SECOND, -SECOND]) {
    const time = new FakeTime();
    const clock = new Clock(time, { floor: 0, base: null, corrections: [] });
    const { lines } = watched(clock);
    const given: Given[] = [];
    for (let minute = 0; minute < 24 * 60; minute++) {
      given.push({ key: clock.next(), when: time.now });
      time.slew(MINUTE, leap / (24 * 60));
    }
    assert.ok(given.every(({ key, when }) => Math.abs(clock.wallOf(key) - when) <= 50_000));
    assert.ok(given.every(({ key }, i) => i === 0 || key - given[i - 1]!.key === MINUTE));
    const { length } = clock.corrections;
    assert.ok(length > 15 && length <= 21, `${length} corrections`);
    // Nothing to warn of.
    assert.ok(lines.every((line) => /^debug the wall clock drifts/.test(line)));
  }
});

test('suspend and resume: keys go on, and both sides are where the wall clock had them', () => {
  const time = new FakeTime();
  const clock = new Clock(time, { floor: 0, base: null, corrections: [] });
  const given = drive(time, clock, 60);
  time.suspend(8 * HOUR);
  given.push(...drive(time, clock, 60));
  const [, last] = [given[59]!, given[60]!];
  assert.equal(last.key - given[59]!.key, SECOND);
  assert.deepEqual(clock.corrections.at(-1), { from: last.key, offset: 8 * HOUR });
  assertFound(clock, given, TODAY, TODAY + HOUR);
  assertFound(clock, given, TODAY + HOUR, TODAY + 8 * HOUR);
  assertFound(clock, given, TODAY + 8 * HOUR, TODAY + 9 * HOUR);
});

for (const loss of ['lost', 'damaged'] as const) {
  test(`clock.json ${loss}, the clock three days behind: keys go on behind journals and files`, async () => {
    for (const reboot of [true, false]) {
      const time = new FakeTime();
      const files = new FakeFiles();
      const first = await open(time, files);
      const given = drive(time, first.clock, 20);
      const [path] = files.contents.keys();
      if (loss === 'lost') files.contents.delete(path!);
      else files.contents.set(path!, '{"bootId":"boo');
      if (reboot) time.reboot(SECOND);
      time.step(-3 * DAY);
      const corrections: Correction[] = [{ from: 0, offset: 0 }];
      const { clock, afterCrash, warnings } = await open(time, files, {
        maxKey: given[9]!.key,
        journalKey: async () => given[19]!.key,
        corrections: () => corrections,
      });
      assert.deepEqual([afterCrash, warnings.length], [true, 1]);
      const more = drive(time, clock, 20);
      assert.equal(more[0]!.key, given[19]!.key + CEILING_AHEAD);
      for (const { key, when } of [...given, ...more]) assert.equal(clock.wallOf(key), when);
    }
  });
}

test('nobody publishes, and the clock is set: the next save sees it', async () => {
  const time = new FakeTime(SECOND, SECOND);
  const { clock, store } = await open(time, new FakeFiles());
  const { saves } = watched(clock);
  time.advance(30 * SECOND);
  time.step(YEARS_56);
  await store.save(false);
  assert.deepEqual([clock.plausible, saves()], [true, 1]);
});

test('a message is as old as keys or wall time say, whichever is less', async () => {
  const time = new FakeTime(SECOND, SECOND);
  const files = new FakeFiles();
  const first = await open(time, files);
  const { key } = drive(time, first.clock, 10)[0]!;
  time.step(YEARS_56);
  time.advance(MINUTE);
  assert.equal(first.clock.ageOf(key), MINUTE + 10 * SECOND);
  await first.store.save(true);
  // Keys are now those of the day, 56 years after the first ones.
  const { clock } = await open(time, files);
  assert.ok(clock.now() - key > YEARS_56);
  assert.ok(clock.ageOf(key) <= MINUTE + 10 * SECOND + 10);
  // A wall clock in the future makes nothing old either.
  const late = clock.next();
  time.step(30 * 365 * DAY);
  time.advance(SECOND);
  assert.equal(clock.ageOf(late), SECOND);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_CORRECTIONS } from '../../src/clock/clock.js';
import type { Correction } from '../../src/clock/correction.js';
import { CEILING_AHEAD, SAVE_EVERY } from '../../src/clock/store.js';
import { DAY, FakeFiles, FakeTime, HOUR, open, SECOND, stateOf, TODAY } from './machine.js';

for (const ending of ['clean', 'crash'] as const) {
  for (const step of [-DAY, -HOUR, 0, 0.5 * SECOND, HOUR]) {
    test(`same boot, ${ending}, wall clock off by ${step / SECOND} s: keys go on`, async () => {
      const time = new FakeTime();
      const files = new FakeFiles();
      const first = await open(time, files);
      for (let i = 0; i < 10; i++) first.clock.next();
      time.advance(5 * SECOND);
      const last = first.clock.next();
      if (ending === 'clean') await first.store.save(true);
      time.advance(SECOND);
      time.step(step);
      const second = await open(time, files);
      assert.equal(second.afterCrash, ending === 'crash');
      const key = second.clock.next();
      assert.ok(Math.abs(key - (last + SECOND + Math.max(step, 0))) <= 1, 'and not from the ceiling');
      assert.ok(Math.abs(second.clock.wallOf(key) - time.now) <= 1);
      assert.ok(Math.abs(second.clock.wallOf(last) - (TODAY + 5 * SECOND)) <= 1);
    });
  }
}

test('other boot, the wall clock far behind: keys start above every key of before', async () => {
  for (const clean of [true, false]) {
    const time = new FakeTime();
    const files = new FakeFiles();
    const first = await open(time, files);
    time.advance(SAVE_EVERY);
    await first.store.save(false);
    // A save may be late by as much again.
    time.advance(2 * SAVE_EVERY);
    const last = first.clock.next();
    if (clean) await first.store.save(true);
    time.reboot(20 * SECOND);
    time.now = 60 * SECOND;
    const second = await open(time, files);
    assert.equal(second.afterCrash, !clean);
    const key = second.clock.next();
    if (clean) assert.equal(key, last + 1);
    assert.ok(key > last && key <= last + 3 * SAVE_EVERY);
    assert.equal(second.clock.wallOf(key), 60 * SECOND);
    assert.equal(second.clock.wallOf(last), last);
  }
});

test('a clean end without a key does not move the next one', async () => {
  const time = new FakeTime();
  const files = new FakeFiles();
  for (let i = 0; i < 5; i++) await (await open(time, files)).store.save(true);
  const { clock } = await open(time, files);
  assert.equal(clock.next(), TODAY);
});

test('a clean end in a burst: the next process does not repeat its keys', async () => {
  const time = new FakeTime();
  const files = new FakeFiles();
  const { clock, store } = await open(time, files);
  for (let i = 0; i < 1000; i++) clock.next();
  await store.save(true);
  assert.equal((await open(time, files)).clock.next(), TODAY + 1000);
});

test('without the file, what the catalogue knows counts', async () => {
  const corrections = [{ from: TODAY - DAY, offset: HOUR }];
  const known = { maxKey: TODAY + HOUR, corrections: () => [...corrections, ...corrections] };
  const { clock, afterCrash, warnings } = await open(new FakeTime(), new FakeFiles(), known);
  assert.equal(afterCrash, true, 'nobody can tell');
  assert.equal(warnings.length, 1);
  const from = TODAY + HOUR + CEILING_AHEAD;
  assert.equal(clock.next(), from, 'there may have been keys behind that of the last file');
  assert.deepEqual(clock.corrections, [...corrections, { from, offset: TODAY - from }]);
});

test('with the file, the catalogue is not asked for corrections, but for the last key', async () => {
  const files = new FakeFiles();
  await (await open(new FakeTime(), files)).store.save(true);
  const known = { maxKey: TODAY + DAY, corrections: () => assert.fail('not needed') };
  assert.equal((await open(new FakeTime(), files, known)).clock.next(), TODAY + DAY + 1);
});

test('corrections are kept over restarts, of very many the newest', async () => {
  const time = new FakeTime();
  const files = new FakeFiles();
  const first = await open(time, files);
  for (let i = 0; i < 10_100; i++) {
    time.advance(SECOND);
    time.step(i % 2 === 0 ? HOUR : -HOUR);
    first.clock.next();
  }
  await first.store.save(true);
  const kept = stateOf(files).corrections;
  assert.deepEqual(kept, first.clock.corrections);
  assert.ok(kept.length <= MOST_CORRECTIONS);
  assert.equal(kept.length, new Set(kept.map(({ from }: Correction) => from)).size);
  const second = await open(time, files);
  assert.deepEqual(second.clock.corrections, kept);
});

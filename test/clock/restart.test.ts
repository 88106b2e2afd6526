import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClockOpening, SAVE_EVERY } from '../../src/clock/store.js';
import { generator } from '../catalog/generator.js';
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
  const { clock, afterCrash } = await open(new FakeTime(), new FakeFiles(), known);
  assert.equal(afterCrash, false);
  assert.equal(clock.next(), TODAY + HOUR + 1);
  assert.deepEqual(clock.corrections, [...corrections, { from: TODAY + HOUR + 1, offset: -HOUR - 1 }]);
});

test('with the file, the catalogue is not asked for corrections, but for the last key', async () => {
  const files = new FakeFiles();
  await (await open(new FakeTime(), files)).store.save(true);
  const known = { maxKey: TODAY + DAY, corrections: () => assert.fail('not needed') };
  assert.equal((await open(new FakeTime(), files, known)).clock.next(), TODAY + DAY + 1);
});

test('corrections are kept over restarts, the newest of very many', async () => {
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
  assert.deepEqual(kept, first.clock.corrections.slice(-10_000));
  const second = await open(time, files);
  assert.deepEqual(second.clock.corrections, kept);
});

test('over restarts, crashes, reboots and steps keys rise and tell the wall time', async () => {
  for (let seed = 50; seed < 58; seed++) {
    const random = generator(seed);
    const time = new FakeTime();
    const files = new FakeFiles();
    const given: { key: number; wall: number }[] = [];
    let clock: ClockOpening['clock'] | null = null;
    for (let run = 0; run < 40; run++) {
      const opening = await open(time, files);
      clock = opening.clock;
      // What the application does: a correction is worth a save.
      const saves: Promise<void>[] = [];
      clock.onCorrection = () => saves.push(opening.store.save(false));
      const rounds = Math.floor(random() * 30);
      for (let i = 0; i < rounds; i++) {
        given.push({ key: clock.next(), wall: time.now });
        time.advance(2000 + random() * SAVE_EVERY * 0.5);
        if (random() < 0.1) time.step((random() - 0.5) * 2 * (random() < 0.5 ? HOUR : 4 * DAY));
        if (i % 2 === 0) await opening.store.save(false);
      }
      await Promise.all(saves);
      if (random() < 0.5) await opening.store.save(true);
      if (random() < 0.4) time.reboot(random() * HOUR);
      else time.advance(2000 + random() * HOUR);
      if (random() < 0.3) time.step((random() - 0.5) * HOUR);
      if (random() < 0.1) time.step(-3 * DAY);
    }
    let last = 0;
    for (const { key, wall } of given) {
      assert.ok(Number.isSafeInteger(key) && key > last, `${key} after ${last}`);
      const off = clock!.wallOf(key) - wall;
      assert.ok(Math.abs(off) <= 50_001, `${key} is off by ${off}`);
      last = key;
    }
    assert.ok(given.length > 300);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generator } from '../catalog/generator.js';
import { Life } from './life.js';
import { HOUR } from './machine.js';

const LIVES = 3000;

/** Every key that is not off by more than it may be: found in a range that it is well in, and not in one that it is well out of. */
function assertFound(life: Life, start: number, end: number): void {
  const ranges = life.clock.keysOf(start, end);
  for (const { key, when, tolerance } of life.observer.seen) {
    if (when === null) continue;
    const found = ranges.some((range) => key >= range.start && key <= range.end);
    if (when >= start + tolerance && when <= end - tolerance) assert.ok(found, `${key} is missing`);
    if (when < start - tolerance || when > end + tolerance) assert.ok(!found, `${key} is too much`);
  }
}

function assertTrue(life: Life, random: () => number): void {
  const { seen } = life.observer;
  let last = 0;
  for (const { key, when, tolerance } of seen) {
    assert.ok(Number.isSafeInteger(key) && key > last, `${key} after ${last}`);
    last = key;
    if (when === null) continue;
    const off = life.clock.wallOf(key) - when;
    assert.ok(Math.abs(off) <= tolerance, `${key} is off by ${off}`);
  }
  const { when } = seen[Math.floor(random() * seen.length)]!;
  if (when !== null) assertFound(life, when - random() * HOUR, when + random() * HOUR);
}

test(`${LIVES} machines: steps, slews, sleep, restarts, kills, reboots, a lost state; keys rise and tell the time`, async () => {
  let known = 0;
  let all = 0;
  for (let seed = 1; seed <= LIVES; seed++) {
    const random = generator(seed);
    const life = new Life(random);
    try {
      for (let run = Math.floor(random() * 6); run >= 0; run--) {
        await life.start();
        for (let i = Math.floor(random() * 20); i >= 0; i--) await life.happen();
        assertTrue(life, random);
        if (run > 0) await life.end();
      }
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    all += life.observer.seen.length;
    known += life.observer.seen.filter(({ when }) => when !== null).length;
  }
  // Almost all of them can be known, or nothing was tested.
  assert.ok(known > 0.8 * all, `${known} of ${all}`);
});

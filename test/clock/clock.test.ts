import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock } from '../../src/clock/clock.js';
import type { Correction } from '../../src/clock/correction.js';
import { generator } from '../catalog/generator.js';
import { DAY, FakeTime, HOUR, SECOND, TODAY } from './machine.js';

/** A smaller difference is no step; a step is seen at the first key after `LOOK`. */
const STEP = 50_000;
const LOOK = 1000;

const FRESH = { floor: 0, base: null, corrections: [] };

function fresh(time: FakeTime): { clock: Clock; told: Correction[] } {
  const clock = new Clock(time, FRESH);
  const told: Correction[] = [];
  clock.onCorrection = (correction) => told.push(correction);
  return { clock, told };
}

test('keys rise strictly however many there are in a microsecond', () => {
  const time = new FakeTime();
  const { clock } = fresh(time);
  let last = clock.last;
  for (let i = 0; i < 5000; i++) {
    if (i % 3 === 0) time.advance(0.25);
    const now = clock.now();
    const key = clock.next();
    assert.ok(Number.isSafeInteger(key) && key > last);
    assert.equal(key, now);
    assert.equal(clock.last, key);
    last = key;
  }
  // Once keys are slower than monotonic time again, they are that.
  time.advance(SECOND);
  assert.equal(clock.next(), Math.floor(time.monotonic() + clock.base));
});

test('the first key is the wall time', () => {
  const time = new FakeTime();
  const { clock, told } = fresh(time);
  assert.equal(clock.next(), TODAY);
  time.advance(1.5 * SECOND);
  assert.equal(clock.next(), TODAY + 1.5 * SECOND);
  assert.deepEqual(told, []);
  assert.equal(clock.wallOf(TODAY), TODAY);
});

for (const step of [0.5 * SECOND, -0.5 * SECOND, HOUR, -HOUR, -3 * DAY, 200 * DAY, STEP + 1, -STEP - 1]) {
  test(`a step of ${step / SECOND} s is corrected exactly and moves no key`, () => {
    const time = new FakeTime();
    const { clock, told } = fresh(time);
    const before = clock.next();
    time.advance(10 * SECOND);
    time.step(step);
    const key = clock.next();
    assert.equal(key, before + 10 * SECOND);
    assert.deepEqual(told, [{ from: key, offset: step }]);
    assert.deepEqual(clock.corrections.at(-1), told[0]);
    assert.equal(clock.wallOf(key), time.now);
    assert.equal(clock.wallOf(before), TODAY);
    time.advance(10 * SECOND);
    assert.equal(clock.wallOf(clock.next()), time.now);
    time.step(-step);
    time.advance(LOOK);
    assert.equal(clock.wallOf(clock.next()), time.now);
    assert.equal(clock.corrections.length, 3);
  });
}

test('drift below the threshold makes no correction, above it an exact one', () => {
  const time = new FakeTime();
  const { clock, told } = fresh(time);
  for (let drift = 0; drift < STEP; drift += 500) {
    time.advance(10 * SECOND);
    time.step(-500);
    clock.next();
  }
  assert.deepEqual(told, []);
  time.step(-500);
  time.advance(LOOK);
  const key = clock.next();
  assert.deepEqual(told, [{ from: key, offset: -STEP - 500 }]);
  assert.equal(clock.wallOf(key), time.now);
});

test('the wall clock is not read for every key', () => {
  const time = new FakeTime();
  const { clock, told } = fresh(time);
  clock.next();
  time.step(HOUR);
  time.advance(LOOK - 1);
  clock.next();
  assert.deepEqual(told, []);
  time.advance(1);
  clock.next();
  assert.equal(told.length, 1);
});

test('wallNow sees a step at once and gives no key', () => {
  const time = new FakeTime();
  const { clock, told } = fresh(time);
  const key = clock.next();
  for (const step of [-HOUR, 2 * HOUR, -3 * DAY]) {
    time.step(step);
    assert.equal(clock.wallNow(), time.now + 1, 'the next key is one on');
    assert.equal(clock.last, key);
  }
  assert.equal(told.length, 3);
  // All of them begin with the key to come; the latest counts.
  assert.equal(clock.wallOf(clock.next()), time.now + 1);
  assert.equal(clock.wallOf(key), TODAY);
});

test('an hour shown twice gives two ranges, one left out gives none', () => {
  const time = new FakeTime();
  const { clock } = fresh(time);
  const given: { key: number; wall: number }[] = [];
  const run = (micros: number) => {
    for (let i = 0; i < 60; i++) {
      given.push({ key: clock.next(), wall: time.now });
      time.advance(micros / 60);
    }
  };
  run(2 * HOUR);
  time.step(-HOUR);
  run(HOUR);
  time.step(3 * HOUR);
  run(HOUR);
  const at = (hours: number, until: number) => {
    const [start, end] = [TODAY + hours * HOUR, TODAY + until * HOUR];
    const ranges = clock.keysOf(start, end);
    const found = given.filter(({ key }) => ranges.some((range) => key >= range.start && key <= range.end));
    const expected = given.filter(({ wall }) => wall >= start && wall <= end);
    assert.deepEqual(found, expected);
    return ranges.length;
  };
  assert.equal(at(0.5, 0.75), 1);
  assert.equal(at(1.25, 1.75), 2);
  assert.equal(at(2.5, 3.5), 0);
  assert.equal(at(0, 6), 1);
});

test('keys rise and tell the wall time through steps, drift and bursts', () => {
  for (let seed = 30; seed < 36; seed++) {
    const random = generator(seed);
    const time = new FakeTime(TODAY, random() * 1e12);
    const { clock, told } = fresh(time);
    const given: { key: number; wall: number }[] = [];
    const steps = [0.5, -0.5, 3600, -3600, -3 * 86_400, 86_400, 0.06, -0.06, 0.03, -0.03];
    for (let i = 0; i < 3000; i++) {
      const what = random();
      if (what < 0.05) time.step(steps[Math.floor(random() * steps.length)]! * SECOND);
      else if (what < 0.3) time.step((random() - 0.5) * 200);
      time.advance(LOOK + random() * (random() < 0.1 ? HOUR : 5000));
      for (let burst = random() < 0.1 ? 50 : 1; burst > 0; burst--) {
        given.push({ key: clock.next(), wall: time.now });
        if (random() < 0.2) time.advance(random());
      }
    }
    assert.ok(told.length > 50, `${told.length}`);
    assert.deepEqual(clock.corrections, [{ from: 0, offset: 0 }, ...told]);
    let last = 0;
    for (const { key, wall } of given) {
      assert.ok(Number.isSafeInteger(key) && key > last);
      assert.ok(Math.abs(clock.wallOf(key) - wall) <= STEP + 60, `${clock.wallOf(key) - wall}`);
      last = key;
    }
    for (const [i, { from }] of clock.corrections.entries()) {
      if (i > 0) assert.ok(from > clock.corrections[i - 1]!.from);
    }
  }
});

test('a start above the wall clock is corrected, and earlier keys keep their time', () => {
  const time = new FakeTime();
  const floor = TODAY + 3 * DAY;
  const clock = new Clock(time, { floor, base: null, corrections: [] });
  assert.equal(clock.last, floor - 1);
  assert.equal(clock.next(), floor);
  assert.equal(clock.wallOf(floor), TODAY);
  // Nobody has told anything about them: no reason to think that they are three days off.
  assert.equal(clock.wallOf(floor - 1), floor - 1);
  assert.deepEqual(clock.keysOf(TODAY, TODAY), [
    { start: TODAY, end: TODAY },
    { start: floor, end: floor },
  ]);
});

test('a start within one boot goes on with monotonic time', () => {
  const time = new FakeTime();
  const first = new Clock(time, FRESH);
  first.next();
  time.advance(SECOND);
  time.step(-HOUR);
  first.next();
  time.advance(SECOND);
  const second = new Clock(time, { floor: 0, base: first.base, corrections: first.corrections });
  assert.ok(Math.abs(second.next() - (TODAY + 2 * SECOND)) <= 1);
  assert.deepEqual(second.corrections, first.corrections, 'nothing new was learned');
  time.step(3 * HOUR);
  // The wall clock is ahead: keys are that again.
  const third = new Clock(time, { floor: 0, base: second.base, corrections: second.corrections });
  assert.equal(third.next(), time.now);
  assert.deepEqual(third.corrections.at(-1), { from: time.now, offset: 0 });
});

test('corrections of keys that were never given are left out', () => {
  const time = new FakeTime();
  const corrections = [
    { from: TODAY - HOUR, offset: 5 * SECOND },
    { from: TODAY + DAY, offset: HOUR },
  ];
  const clock = new Clock(time, { floor: 0, base: null, corrections });
  assert.deepEqual(clock.corrections, [corrections[0], { from: TODAY, offset: 0 }]);
  assert.equal(clock.wallOf(TODAY + 2 * DAY), TODAY + 2 * DAY);
});

test('what is found of earlier keys later on is known as if it had been known from the start', () => {
  const random = generator(23);
  for (let round = 0; round < 200; round++) {
    const time = new FakeTime();
    const known = [{ from: 0, offset: 0 }];
    let key = TODAY - HOUR;
    for (let i = 0; i < random() * 4; i++) {
      key += Math.ceil(random() * SECOND);
      known.push({ from: key, offset: (known.at(-1)!.offset === 0 ? 1 : 0) * HOUR });
    }
    const floor = random() < 0.5 ? 0 : TODAY + HOUR;
    const partly = known.filter(() => random() < 0.3);
    const informed = new Clock(time, { floor, base: null, corrections: known });
    const learning = new Clock(time, { floor, base: null, corrections: partly });
    const wall = learning.wallOf(learning.next());
    informed.next();
    time.step(random() < 0.5 ? 0 : HOUR);
    time.advance(LOOK);
    assert.equal(informed.next(), learning.next());
    const own = { from: learning.last + 1, offset: 7 };
    learning.learn([...known.map((one) => ({ ...one, doubt: 'open' as const })), own]);
    assert.deepEqual(learning.corrections, informed.corrections);
    assert.equal(learning.wallOf(learning.last - LOOK), wall);
    learning.learn(known);
    assert.deepEqual(learning.corrections, informed.corrections);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Correction,
  correctionsIn,
  correctionsWithin,
  joinCorrections,
  keysOfWall,
  thinned,
  wallOfKey,
} from '../../src/clock/correction.js';
import { generator } from '../catalog/generator.js';

const LAST = 300;

function someCorrections(random: () => number): Correction[] {
  const whole = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const count = whole(1, 6);
  const froms = Array.from({ length: count }, () => whole(0, LAST)).sort((a, b) => a - b);
  return froms.map((from) => ({ from, offset: whole(-120, 120) }));
}

/** The last correction from `key` on or before; before the first, the first. */
function plainWall(corrections: readonly Correction[], key: number): number {
  let { offset } = corrections[0]!;
  for (const correction of corrections) if (correction.from <= key) offset = correction.offset;
  return key + offset;
}

test('wallOfKey and keysOfWall are what trying every key gives', () => {
  const random = generator(20);
  const several = [0, 0, 0, 0];
  for (let round = 0; round < 600; round++) {
    const corrections = someCorrections(random);
    for (let key = 0; key <= LAST; key++)
      assert.equal(wallOfKey(corrections, key), plainWall(corrections, key));
    const start = Math.floor(random() * 500) - 150;
    const end = start + Math.floor(random() * 200) - 5;
    const ranges = keysOfWall(corrections, start, end);
    several[Math.min(3, ranges.length)]!++;

    const expected: number[] = [];
    for (let key = 0; key <= LAST; key++) {
      const wall = plainWall(corrections, key);
      if (wall >= start && wall <= end) expected.push(key);
    }
    const found: number[] = [];
    let before = -2;
    for (const range of ranges) {
      assert.ok(range.start <= range.end);
      assert.ok(range.start > before + 1, 'ascending, disjoint, and joined where they touch');
      before = range.end;
      for (let key = range.start; key <= Math.min(range.end, LAST); key++) found.push(key);
    }
    assert.deepEqual(found, expected, JSON.stringify({ corrections, start, end }));
  }
  assert.ok(
    several.every((rounds) => rounds > 5),
    `${several}`,
  );
});

test('all of time is one range, whatever the corrections', () => {
  const random = generator(21);
  for (let round = 0; round < 50; round++) {
    const [all, ...more] = keysOfWall(someCorrections(random), -1e15, 2 ** 52);
    assert.deepEqual([all?.start, more], [0, []]);
    assert.ok(all!.end >= 2 ** 52 - 200);
  }
});

test('lists are joined in order, one for each key, only where the offset changes', () => {
  assert.deepEqual(joinCorrections(), []);
  assert.deepEqual(joinCorrections([], []), []);
  const joined = joinCorrections(
    [
      { from: 30, offset: 5 },
      { from: 10, offset: 0 },
    ],
    [
      { from: 20, offset: 0 },
      { from: 30, offset: 7 },
      { from: 40, offset: 7 },
      { from: 50, offset: 0 },
    ],
  );
  assert.deepEqual(joined, [
    { from: 10, offset: 0 },
    { from: 30, offset: 7 },
    { from: 50, offset: 0 },
  ]);
  const random = generator(22);
  for (let round = 0; round < 200; round++) {
    const whole = [...new Map(someCorrections(random).map((one) => [one.from, one])).values()];
    const parts: Correction[][] = [[], [], []];
    for (const one of whole) for (const part of parts) if (random() < 0.6) part.push(one);
    parts.push(whole.toReversed());
    const same = joinCorrections(...parts);
    for (let key = 0; key <= LAST; key++) assert.equal(wallOfKey(same, key), plainWall(whole, key));
    assert.deepEqual(joinCorrections(same), same);
  }
});

test('of two for one key, what was settled counts before what is in doubt, then the later one', () => {
  const open = (offset: number): Correction => ({ from: 5, offset, doubt: 'open' });
  const settled: Correction = { from: 5, offset: 9, doubt: 'settled' };
  assert.deepEqual(joinCorrections([settled], [open(1)]), [settled]);
  assert.deepEqual(joinCorrections([open(1)], [settled]), [settled]);
  assert.deepEqual(joinCorrections([open(1)], [open(2)]), [open(2)]);
});

test('what files tell that is no correction is left out', () => {
  const good: Correction[] = [
    { from: 1, offset: -2 },
    { from: 3, offset: 4, doubt: 'open' },
  ];
  const bad = [null, 7, {}, { from: 1 }, { from: '1', offset: 2 }, { from: 1.5, offset: 2 }];
  const odd = { from: 8, offset: 0, doubt: 'maybe' };
  const files = [
    { corrections: [...bad, good[0], odd] },
    {},
    { corrections: 'none' },
    { corrections: [good[1]] },
  ];
  assert.deepEqual(correctionsIn(files.map((clock) => ({ clock }))), good);
});

test('those within keys are the one in force at the first, and all behind it', () => {
  const random = generator(23);
  for (let round = 0; round < 300; round++) {
    const corrections = someCorrections(random);
    const start = Math.floor(random() * LAST);
    const end = start + Math.floor(random() * (LAST - start));
    const some = correctionsWithin(corrections, start, end);
    if (some.length === 0) assert.ok(corrections.every(({ from }) => from > end));
    else
      for (let key = start; key <= end; key++) {
        // Before the first of all its offset holds; who has only some of them goes by the first of those.
        assert.equal(wallOfKey(some, key), plainWall(corrections, key));
      }
  }
});

test('too many become coarser where they are old and small; steps and new ones stay', () => {
  const drift = Array.from({ length: 900 }, (_, i) => ({ from: i * 10, offset: i * 40 }));
  const steps = Array.from({ length: 50 }, (_, i) => ({ from: 9000 + i * 10, offset: i * 1e9 }));
  const recent = Array.from({ length: 50 }, (_, i) => ({ from: 10_000 + i * 10, offset: i }));
  const all = [...drift, ...steps, ...recent];
  const some = thinned(all, 200, 100);
  assert.ok(some.length <= 200 && some.length > 150, `${some.length}`);
  assert.deepEqual(some.slice(-100), [...steps, ...recent]);
  assert.deepEqual(some[0], all[0]);
  for (const { from } of all) assert.ok(Math.abs(wallOfKey(some, from) - wallOfKey(all, from)) <= 800);
});

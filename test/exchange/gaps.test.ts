import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gap, type GapReason, Gaps } from '../../src/exchange/gaps.js';
import { generator } from '../catalog/generator.js';
import { pick, whole } from '../ring/samples.js';

const ALL = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

function gap(start: number, end: number, messages: number | null, reason: GapReason = 'dropped'): Gap {
  return { start, end, messages, reason };
}

test('missing messages that follow each other are one gap', () => {
  const gaps = new Gaps();
  gaps.add(5, 'dropped', true);
  gaps.add(6, 'dropped', true);
  gaps.add(9, 'dropped', false);
  gaps.add(12, 'dropped', true);
  assert.deepEqual(gaps.within(ALL), [gap(5, 6, 2), gap(9, 12, 2)]);
  assert.equal(gaps.count, 2);
});

test('gaps of different reasons stay apart, and each goes on where it was', () => {
  const gaps = new Gaps();
  gaps.add(100, 'too-large', false);
  gaps.add(1, 'dropped', false);
  gaps.add(2, 'dropped', true);
  gaps.add(101, 'too-large', true);
  gaps.add(3, 'dropped', true);
  assert.deepEqual(gaps.within(ALL), [gap(1, 3, 3), gap(100, 101, 2, 'too-large')]);
});

test('what is unknown is not counted on', () => {
  const gaps = new Gaps();
  gaps.insert(gap(0, 10, null, 'crash'));
  gaps.add(11, 'crash', true);
  assert.deepEqual(gaps.within(ALL), [gap(0, 10, null, 'crash'), gap(11, 11, 1, 'crash')]);
});

test('a gap inserted late is found in the order of its start', () => {
  const gaps = new Gaps();
  for (const start of [50, 10, 70, 30, 10, 0]) gaps.insert(gap(start, start + 5, 1, 'lost'));
  assert.deepEqual(
    gaps.within(ALL).map(({ start }) => start),
    [0, 10, 10, 30, 50, 70],
  );
});

test('ranges: both ends count, and what touches none is left out', () => {
  const gaps = new Gaps();
  for (const start of [10, 20, 30]) gaps.insert(gap(start, start + 5, 1));
  const starts = (...ranges: [number, number][]) =>
    gaps.within(ranges.map(([start, end]) => ({ start, end }))).map(({ start }) => start);
  assert.deepEqual(starts([15, 20]), [10, 20]);
  assert.deepEqual(starts([16, 19]), []);
  assert.deepEqual(starts([0, 9], [36, 99]), []);
  assert.deepEqual(starts([12, 13], [31, 31]), [10, 30]);
  assert.deepEqual(starts([0, 99], [0, 99]), [10, 20, 30]);
  assert.deepEqual(starts(), []);
});

test('an answer does not change when a gap goes on', () => {
  const gaps = new Gaps();
  gaps.add(1, 'dropped', false);
  const answer = gaps.within(ALL);
  gaps.add(2, 'dropped', true);
  assert.deepEqual(answer, [gap(1, 1, 1)]);
});

test('their number is bounded, their count stays exact, and none is left without', () => {
  const gaps = new Gaps();
  gaps.insert(gap(0, 5, null, 'crash'));
  for (let i = 0; i < 50_000; i++) gaps.add(10 + i * 10, 'dropped', false);
  assert.ok(gaps.count <= 10_000, `${gaps.count}`);
  const [crash, ...others] = gaps.within(ALL);
  assert.deepEqual(crash, gap(0, 5, null, 'crash'));
  assert.equal(
    others.reduce((sum, { messages }) => sum + messages!, 0),
    50_000,
  );
  assert.equal(others[0]!.start, 10);
  assert.deepEqual(others.at(-1), gap(10 + 49_999 * 10, 10 + 49_999 * 10, 1));
  // The next one goes on from nothing that was joined away.
  gaps.add(600_000, 'dropped', true);
  assert.equal(
    gaps.within(ALL).reduce((sum, { messages }) => sum + (messages ?? 0), 0),
    50_001,
  );
});

test('whatever is added, counts by reason are exact below the bound', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = generator(seed);
    const gaps = new Gaps();
    const counts = new Map<string, number>();
    let key = 0;
    for (let i = 0; i < 2000; i++) {
      key += whole(random, 1, 5);
      const reason = pick(random, ['dropped', 'rejected', 'too-large'] as const);
      gaps.add(key, reason, random() < 0.5);
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    const found = gaps.within(ALL);
    for (const [reason, count] of counts) {
      const sum = found.filter((one) => one.reason === reason).reduce((n, { messages }) => n + messages!, 0);
      assert.equal(sum, count);
    }
    assert.deepEqual(
      found.map(({ start }) => start),
      found.map(({ start }) => start).sort((a, b) => a - b),
    );
  }
});

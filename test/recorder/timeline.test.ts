import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/recorder/backoff.js';
import { Timeline } from '../../src/recorder/timeline.js';

const CORRECTIONS = [
  { from: 0, offset: 0 },
  { from: 1000, offset: -50 },
  { from: 2000, offset: 7 },
  { from: 3000, offset: 9 },
];

test('the clock record tells wall and monotonic time at both ends, and the corrections between', () => {
  const timeline = new Timeline(600, CORRECTIONS);
  assert.deepEqual(JSON.parse(timeline.record(1500, 2500)), {
    open: { key: 1500, wall: 1450, monotonic: 900 },
    close: { key: 2500, wall: 2507, monotonic: 1900 },
    corrections: [CORRECTIONS[1], CORRECTIONS[2]],
  });
});

test('a correction holds from its own key on', () => {
  const timeline = new Timeline(0, CORRECTIONS);
  assert.deepEqual(JSON.parse(timeline.record(1000, 1999)).corrections, [CORRECTIONS[1]]);
  assert.deepEqual(JSON.parse(timeline.record(999, 1000)), {
    open: { key: 999, wall: 999, monotonic: 999 },
    close: { key: 1000, wall: 950, monotonic: 1000 },
    corrections: [CORRECTIONS[0], CORRECTIONS[1]],
  });
});

test('what was in doubt before the first key is told again: an earlier file may know less', () => {
  const corrections = [
    { from: 0, offset: 0 },
    { from: 10, offset: 90, doubt: 'settled' },
    { from: 20, offset: 95, doubt: 'settled' },
    { from: 30, offset: 99 },
    { from: 40, offset: 80 },
  ] as const;
  const { corrections: told } = JSON.parse(new Timeline(0, corrections).record(45, 50));
  assert.deepEqual(told, [corrections[1], corrections[2], corrections[4]]);
});

test('later corrections replace all; without any, key is wall time', () => {
  const timeline = new Timeline(0, []);
  assert.deepEqual(JSON.parse(timeline.record(5, 6)), {
    open: { key: 5, wall: 5, monotonic: 5 },
    close: { key: 6, wall: 6, monotonic: 6 },
    corrections: [],
  });
  timeline.correct([{ from: 10, offset: 3 }]);
  // Of the time before the first correction nothing else is known.
  assert.deepEqual(JSON.parse(timeline.record(5, 6)).open, { key: 5, wall: 8, monotonic: 5 });
});

test('delays double up to the most and start again after a reset', () => {
  const backoff = new Backoff(100, 1000);
  const delays = () => Array.from({ length: 6 }, () => backoff.next());
  assert.deepEqual(delays(), [100, 200, 400, 800, 1000, 1000]);
  backoff.reset();
  assert.deepEqual(delays(), [100, 200, 400, 800, 1000, 1000]);
});

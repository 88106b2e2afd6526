import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNKNOWN_WALL_TIME, wallTimeBy } from '../../src/cli/wall-time.js';

test('wall time of keys: UTC, to the microsecond, and after 1970 corrected', () => {
  const wall = wallTimeBy();
  assert.equal(wall(1732330000000001), '2024-11-23T02:46:40.000001Z');
  assert.equal(wall(0), '1970-01-01T00:00:00.000000Z');
  assert.equal(wall(-1), '1969-12-31T23:59:59.999999Z');
  const corrected = wallTimeBy([
    { from: 0, offset: 0 },
    { from: 3_000_000, offset: 1732320000000000 },
  ]);
  assert.equal(corrected(2_999_999), '1970-01-01T00:00:02.999999Z');
  assert.equal(corrected(3_000_000), '2024-11-23T00:00:03.000000Z');
});

test('what is no time is none', () => {
  assert.equal(wallTimeBy()(Number.NaN), '-');
  assert.equal(UNKNOWN_WALL_TIME(5), '-');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenBucket } from '../../src/broker/token-bucket.js';

/** How many succeed of so many attempts at one moment. */
function taken(bucket: TokenBucket, now: number, attempts: number): number {
  let count = 0;
  for (let i = 0; i < attempts; i++) if (bucket.take(now)) count++;
  return count;
}

test('as many at once as a second, then as many as come with time', () => {
  const bucket = new TokenBucket(10, 1000);
  assert.equal(taken(bucket, 1000, 20), 10);
  assert.equal(taken(bucket, 1099, 5), 0);
  assert.equal(taken(bucket, 1100, 5), 1);
  assert.equal(taken(bucket, 1350, 5), 2);
  assert.equal(taken(bucket, 1400, 5), 1, 'what was left of the time before counts');
  assert.equal(taken(bucket, 1_000_000, 50), 10, 'not more than a second can be saved');
});

test('it tells how long to wait', () => {
  const bucket = new TokenBucket(4, 0);
  assert.equal(bucket.wait, 0);
  assert.equal(taken(bucket, 0, 4), 4);
  assert.equal(bucket.wait, 250);
  assert.equal(bucket.take(100), false);
  assert.equal(bucket.wait, 150);
  assert.equal(bucket.take(250), true);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bucket } from '../../src/bridge/bucket.js';

test('over time no more passes than the rate, whatever the sizes', () => {
  for (const sizes of [[100], [1], [10_000, 3], [250, 5000, 7]]) {
    const rate = 1000;
    const bucket = new Bucket(rate, 0);
    let now = 0;
    let sent = 0;
    for (let i = 0; now < 100_000; i++) {
      const wait = bucket.wait(now);
      now += wait;
      assert.equal(bucket.wait(now), 0, 'the time it said is enough');
      const size = sizes[i % sizes.length]!;
      bucket.take(size);
      sent += size;
    }
    // One second's bytes at once at the beginning, and the last message ahead.
    assert.ok(sent <= (rate * now) / 1000 + rate + Math.max(...sizes), `${sent} in ${now} ms`);
    assert.ok(sent >= (rate * now) / 1000 - Math.max(...sizes), `${sent} in ${now} ms`);
  }
});

test('a pause saves up one second, not more', () => {
  const bucket = new Bucket(1000, 0);
  let sent = 0;
  const burst = (now: number) => {
    for (sent = 0; bucket.wait(now) === 0; sent += 10) bucket.take(10);
    return sent;
  };
  assert.equal(burst(0), 1000);
  assert.equal(burst(500), 500);
  assert.equal(burst(3_600_000), 1000);
});

test('no limit', () => {
  const bucket = new Bucket(0, 0);
  bucket.take(1e12);
  assert.equal(bucket.wait(0), 0);
});

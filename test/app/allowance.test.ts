import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Allowance } from '../../src/app/allowance.js';

function taken(allowance: Allowance, now: number, tries: number): number {
  let count = 0;
  for (let i = 0; i < tries; i++) if (allowance.take(now)) count++;
  return count;
}

test('a burst, then so much a second, however it is spread', () => {
  const allowance = new Allowance(5, 10, 1000);
  assert.equal(taken(allowance, 1000, 100), 5);
  assert.equal(taken(allowance, 1050, 100), 0);
  assert.equal(taken(allowance, 1100, 100), 1);
  assert.equal(taken(allowance, 1300, 100), 2);
  let count = 0;
  for (let now = 1301; now <= 11_300; now++) count += taken(allowance, now, 3);
  assert.equal(count, 100);
});

test('what is not used is saved up to a burst', () => {
  const allowance = new Allowance(5, 10, 0);
  assert.equal(taken(allowance, 0, 100), 5);
  assert.equal(taken(allowance, 3_600_000, 100), 5);
});

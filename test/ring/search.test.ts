import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocateRing } from '../../src/ring/layout.js';
import { lowerBound } from '../../src/ring/search.js';
import { generator } from '../catalog/generator.js';
import { whole } from './samples.js';

test('lowerBound finds what a linear search finds', () => {
  const random = generator(5);
  const ring = allocateRing(64, 64);
  for (let round = 0; round < 400; round++) {
    // Sequences wrap around the slots, and around 32 bits.
    const from = whole(random, 0, 1) * (2 ** 32 - 40) + whole(random, 0, 100);
    const to = from + whole(random, 0, 64);
    const keys: number[] = [];
    let key = whole(random, 0, 2 ** 50);
    for (let sequence = from; sequence < to; sequence++) {
      key += whole(random, 1, 5);
      keys.push(key);
      ring.keys[sequence & ring.mask] = key;
    }
    for (const asked of [0, ...keys.flatMap((one) => [one - 1, one, one + 1]), key + 1, Infinity]) {
      const linear = keys.findIndex((one) => one >= asked);
      assert.equal(lowerBound(ring, asked, from, to), linear === -1 ? to : from + linear);
    }
  }
});

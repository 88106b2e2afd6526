import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, align8, allocateRing, attachRing } from '../../src/ring/layout.js';
import { generator } from '../catalog/generator.js';
import { whole } from './samples.js';

test('advance finds the whole sequence up to 2^31 either side of a known one', () => {
  const random = generator(1);
  const knowns = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 3 * 2 ** 31, 2 ** 52];
  for (let i = 0; i < 200; i++) knowns.push(whole(random, 0, 2 ** 52));
  for (const known of knowns) {
    for (const by of [0, 1, 7, 65_536, 2 ** 31 - 1, -1, -(2 ** 31), whole(random, 0, 2 ** 31 - 1)]) {
      assert.equal(advance(known, (known + by) | 0), known + by, `${known} + ${by}`);
    }
  }
});

test('advance of one that was behind by more never gets ahead of the truth', () => {
  const random = generator(2);
  for (let i = 0; i < 1000; i++) {
    const known = whole(random, 0, 2 ** 40);
    const truth = known + whole(random, 2 ** 31, 2 ** 40);
    assert.ok(advance(known, truth | 0) <= truth);
  }
});

test('align8 rounds up', () => {
  for (let bytes = 0; bytes <= 131_080; bytes += 1) assert.equal(align8(bytes), Math.ceil(bytes / 8) * 8);
});

test('views are disjoint, aligned and cover the memory', () => {
  for (const messages of [1, 2, 7, 8, 9, 1000, 1024, 1025]) {
    for (const bytes of [1, 8, 9, 4096, 100_001]) {
      const ring = allocateRing(messages, bytes);
      assert.equal(ring.size, align8(bytes));
      assert.ok(ring.mask + 1 >= messages && ((ring.mask + 1) & ring.mask) === 0);
      let at = 0;
      const { control, keys, offsets, positions, names, hashes, props, payloads, metas } = ring;
      for (const view of [
        control,
        keys,
        offsets,
        positions,
        names,
        hashes,
        props,
        payloads,
        metas,
        ring.bytes,
      ]) {
        assert.equal(view.byteOffset, at);
        at += view.byteLength;
      }
      assert.equal(at, ring.shared.byteLength);
      assert.equal(ring.bytes.byteOffset % 8, 0);
      assert.equal(ring.words.byteOffset, ring.bytes.byteOffset);
      assert.equal(ring.words.byteLength, ring.bytes.byteLength);
    }
  }
});

test('another thread attaches to the same ring by its handle', () => {
  const ring = allocateRing(100, 1000);
  const { shared, messages, size } = ring;
  const same = attachRing(structuredClone({ shared, messages, size }));
  assert.equal(same.mask, ring.mask);
  ring.bytes[ring.size - 1] = 77;
  ring.keys[ring.mask] = 5;
  ring.metas[ring.mask] = 9;
  assert.deepEqual([same.bytes[same.size - 1], same.keys[same.mask], same.metas[same.mask]], [77, 5, 9]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocateRing } from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';
import { encodeSource } from '../../src/ring/source.js';
import { RingWriter } from '../../src/ring/writer.js';
import { generator } from '../catalog/generator.js';
import { RingModel, rawBytes } from './model.js';
import { append, assertStands, lengths, noise, pick, sample, sourceOf, whole } from './samples.js';

const SHAPES: [messages: number, bytes: number][] = [
  [1, 256],
  [2, 4096],
  [8, 600],
  [13, 1 << 14],
  [64, 1000],
  [64, 4096],
  [300, 1 << 15],
];

/** From nothing to more than the ring. */
function anyLength(random: () => number, size: number): number {
  return pick(random, [
    0,
    whole(random, 0, 40),
    whole(random, 0, 300),
    whole(random, 0, size),
    whole(random, size - 200, size + 20),
  ]);
}

for (const [seed, [messages, bytes]] of SHAPES.entries()) {
  test(`a ring of ${messages} messages and ${bytes} bytes is what plain lists are`, () => {
    const random = generator(100 + seed);
    const ring = new RingModel(messages, bytes);
    const counts = { appended: 0, refused: 0, tooLarge: 0 };
    for (let step = 0; step < 2500; step++) {
      const what = random();
      if (what < 0.6) {
        const one = ring.next(random, anyLength(random, ring.memory.size));
        const { writer, memory } = ring;
        const fits = writer.fits(...lengths(one));
        const holds = writer.holds(...lengths(one));
        assert.equal(holds, rawBytes(one) + 7 <= memory.size);
        if (!holds) {
          counts.tooLarge++;
          continue;
        }
        const free = writer.written - writer.reusable < memory.messages;
        // It may have to start anew at position 0, so that as much again is lost.
        if (free && writer.pendingBytes + 2 * (rawBytes(one) + 14) <= memory.size) assert.ok(fits);
        if (!free) assert.ok(!fits);
        if (!fits && random() < 0.6) {
          counts.refused++;
          continue;
        }
        if (!fits) ring.makeRoom(one);
        ring.append(one);
        counts.appended++;
      } else if (what < 0.75) {
        ring.copy(whole(random, 0, messages));
      } else if (what < 0.9) {
        if (ring.copied !== null) ring.take();
      } else {
        // Old news of a commit changes nothing.
        ring.commit(whole(random, 0, ring.tail));
      }
      ring.check();
    }
    assert.ok(counts.appended > 100 && counts.refused > 50 && counts.tooLarge > 10, JSON.stringify(counts));
    assert.ok(ring.lostRaces > 10);
    for (const fate of ['taken', 'dropped'] as const) assert.ok(ring.fates.includes(fate), fate);
    // Exactly once: in the end the reader has taken what was not dropped.
    ring.copied = null;
    ring.copy(messages);
    ring.take();
    assert.ok(!ring.fates.includes('pending'));
  });
}

test('one record as large as the ring, from every position', () => {
  const random = generator(6);
  const source = sourceOf('large', 'c');
  for (let before = 0; before <= 512 - 8 - 7; before++) {
    const ring = allocateRing(8, 512);
    const writer = new RingWriter(ring);
    writer.append(1, source, 0, false, null, noise(random, before));
    const large = { ...sample(random, 2, ring.size - 8 - 7, source), props: null };
    const message = { ...large.message, properties: null };
    assert.ok(writer.holds(source, 0, message.payload.length));
    assert.ok(!writer.holds(source, 0, message.payload.length + 1));
    assert.ok(!writer.fits(...lengths(large)));
    assert.ok(new RingReader(ring, 0).take(0, 1));
    writer.commit(1);
    assert.ok(writer.fits(...lengths(large)));
    append(writer, large);
    assert.deepEqual([writer.oldest, writer.written], [1, 2]);
    assertStands(ring, 1, message);
    const empty = sample(random, 3, 0, source);
    assert.ok(!writer.fits(source, 0, 0));
    const given: unknown[] = [];
    writer.makeRoom(...lengths(empty), (key, taken) => given.push([key, taken]));
    assert.deepEqual(given, [[2, false]]);
    append(writer, empty);
    assertStands(ring, 2, empty.message);
  }
});

test('messages without payload are limited by their count', () => {
  const ring = allocateRing(5, 4096);
  const writer = new RingWriter(ring);
  const source = encodeSource('t', null);
  const nothing = new Uint8Array(0);
  for (let i = 0; i < 5; i++) {
    assert.ok(writer.fits(source, 0, 0));
    writer.append(i + 1, source, 0, false, null, nothing);
  }
  assert.ok(!writer.fits(source, 0, 0));
  assert.equal(writer.pendingBytes, 40);
  writer.commit(2);
  assert.equal(writer.pendingBytes, 24);
  assert.equal(writer.oldest, 0);
  writer.append(6, source, 0, false, null, nothing);
  assert.equal(writer.oldest, 1);
});

test('what is committed stays readable until its place is needed', () => {
  const random = generator(7);
  const ring = new RingModel(16, 4096);
  for (let i = 0; i < 8; i++) ring.append(ring.next(random, 16));
  ring.copy(8);
  ring.take();
  ring.commit(8);
  assert.equal(ring.writer.pendingBytes, 0);
  assert.equal(ring.writer.oldest, 0);
  ring.check();
});

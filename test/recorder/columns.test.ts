import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryColumn } from '../../src/recorder/binary.js';
import { BitColumn } from '../../src/recorder/bits.js';
import { copyBytes, storeOf, type TargetStore } from '../../src/recorder/bytes.js';
import { Capacity } from '../../src/recorder/capacity.js';
import { generator } from '../catalog/generator.js';
import { noise, whole } from '../ring/samples.js';

function filled(random: () => number, size: number): TargetStore {
  const store = storeOf(size);
  store.bytes.set(noise(random, size));
  return store;
}

test('bytes are copied whatever their alignment, and nothing around them changes', () => {
  const random = generator(1);
  const source = filled(random, 1024);
  for (let i = 0; i < 5000; i++) {
    const length = whole(random, 0, random() < 0.2 ? 500 : 40);
    const at = random() < 0.1 ? 1024 - length : whole(random, 0, 1024 - length);
    const start = random() < 0.1 ? 1024 - length : whole(random, 0, 1024 - length);
    const target = filled(random, 1024);
    const expected = Uint8Array.from(target.bytes);
    expected.set(source.bytes.subarray(at, at + length), start);
    copyBytes(source, at, target, start, length);
    assert.deepEqual(target.bytes, expected, `${length} bytes from ${at} to ${start}`);
  }
});

test('a bit column keeps its bits when it grows', () => {
  const random = generator(2);
  const bits = new BitColumn();
  const model: boolean[] = [];
  for (let row = 0; row < 300; row++) {
    if (row % 50 === 0) bits.resize(row + 50);
    bits.set(row, random() < 0.5);
    model[row] = random() < 0.5;
    bits.set(row, model[row]!);
  }
  assert.deepEqual(
    model.map((_, row) => bits.get(row)),
    model,
  );
  assert.equal(bits.view(9).length, 2);
});

test('a binary column goes back to an earlier row', () => {
  const random = generator(3);
  const column = new BinaryColumn(true);
  column.resize(500);
  const source = filled(random, 4096);
  const model: (Buffer | null)[] = [];
  for (let i = 0; i < 2000 && model.length < 500; i++) {
    if (random() < 0.1) model.length = whole(random, 0, model.length);
    const row = model.length;
    if (random() < 0.2) {
      column.putNull(row);
      model.push(null);
    } else {
      const length = whole(random, 0, 300);
      const at = whole(random, 0, 4096 - length);
      column.put(row, source, at, length);
      model.push(Buffer.from(source.bytes.slice(at, at + length)));
    }
  }
  const { valueOffsets, data, nullBitmap } = column.view(model.length);
  const rows = model.map((_, row) =>
    column.isNull(row) ? null : Buffer.from(data.slice(valueOffsets[row], valueOffsets[row + 1])),
  );
  assert.deepEqual(rows, model);
  assert.equal(data.length, valueOffsets[model.length]);
  assert.equal(nullBitmap!.length, (model.length + 7) >> 3);
});

test('a buffer grows by doubling and shrinks only when the last files needed far less', () => {
  const capacity = new Capacity(16);
  assert.equal(capacity.grown(0, 1), 16);
  assert.equal(capacity.grown(16, 100), 128);
  assert.equal(capacity.settled(1024, 1000), 1024);
  // The large file is remembered for three more.
  for (let i = 0; i < 3; i++) assert.equal(capacity.settled(1024, 10), 1024);
  assert.equal(capacity.settled(1024, 10), 16);
  assert.equal(capacity.settled(64, 10), 64);
});

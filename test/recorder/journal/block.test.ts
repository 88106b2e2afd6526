/** What is written as blocks is read as the same rows, and nothing else ever is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batch, type BatchColumns } from '../../../src/recorder/batch.js';
import type { BinaryView } from '../../../src/recorder/binary.js';
import { Drain } from '../../../src/recorder/drain.js';
import { BlockMaker } from '../../../src/recorder/journal/block.js';
import { BlockReader } from '../../../src/recorder/journal/block-reader.js';
import { allocateRing } from '../../../src/ring/layout.js';
import { RingWriter } from '../../../src/ring/writer.js';
import { generator } from '../../catalog/generator.js';
import { append, sample } from '../../ring/samples.js';

const NO_LIMITS = { rows: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

function cell({ valueOffsets, data, nullBitmap }: BinaryView, row: number): string | null {
  if (nullBitmap !== undefined && (nullBitmap[row >> 3] & (1 << (row & 7))) === 0) return null;
  return Buffer.from(data.subarray(valueOffsets[row], valueOffsets[row + 1])).toString('hex');
}

function rowsOf(columns: BatchColumns): unknown[] {
  const { keys, codes, qos, retain, topics, clients, properties, payload } = columns;
  return Array.from({ length: columns.rows }, (_, row) => [
    Number(keys[row]),
    cell(topics, codes[row]),
    cell(clients, codes[row]),
    qos[row],
    (retain[row >> 3] & (1 << (row & 7))) !== 0,
    cell(properties, row),
    cell(payload, row),
  ]);
}

interface Journalled {
  readonly bytes: Buffer;
  /** The rows, and where each block ends and how many rows there are then. */
  readonly rows: unknown[];
  readonly ends: { at: number; rows: number }[];
}

/** Random messages, taken over in random portions, each of which becomes a block. */
function journalled(seed: number): Journalled {
  const random = generator(seed);
  const memory = allocateRing(512, 4 * 1024 * 1024);
  const writer = new RingWriter(memory);
  const batch = new Batch();
  const drain = new Drain(memory, 0, batch);
  const maker = new BlockMaker();
  const parts: Buffer[] = [];
  const ends: { at: number; rows: number }[] = [];
  let key = 1_732_330_000_000_000;
  let written = { rows: 0, names: 0 };
  let at = 0;
  for (let block = 0; block < 12; block++) {
    for (let count = 1 + Math.floor(random() * 20); count > 0; count--) {
      key += 1 + Math.floor(random() * 1000);
      append(writer, sample(random, key, random() < 0.05 ? 20_000 : Math.floor(random() * 200)));
    }
    writer.publish();
    while (drain.written() > drain.position) assert.equal(drain.step(NO_LIMITS), 'took');
    const columns = batch.columns();
    for (const piece of maker.make(columns, written, 7, block)) {
      parts.push(Buffer.from(piece));
      at += piece.length;
    }
    assert.equal(at % 4, 0);
    written = { rows: columns.rows, names: columns.names };
    ends.push({ at, rows: columns.rows });
  }
  return { bytes: Buffer.concat(parts), rows: rowsOf(batch.columns()), ends };
}

function read(bytes: Uint8Array, segment = 7): { rows: unknown[]; at: number } {
  const aligned = new Uint8Array(bytes.length);
  aligned.set(bytes);
  const reader = new BlockReader(aligned, 0, segment);
  const batch = new Batch();
  while (
    reader.next((parts) => {
      batch.reserve(1);
      batch.append(reader.memory, parts);
    })
  );
  return { rows: rowsOf(batch.columns()), at: reader.at };
}

for (let seed = 1; seed <= 20; seed++) {
  test(`random rows, there and back (seed ${seed})`, () => {
    const { bytes, rows } = journalled(seed);
    assert.deepEqual(read(bytes), { rows, at: bytes.length });
  });
}

test('cut anywhere: what is read is what the whole blocks hold', () => {
  const { bytes, rows, ends } = journalled(101);
  const random = generator(5);
  const cuts = [...ends.flatMap(({ at }) => [at - 1, at, at + 1]), 0, 3, 39, 40];
  for (let i = 0; i < 300; i++) cuts.push(Math.floor(random() * bytes.length));
  for (const cut of cuts) {
    const whole = ends.findLast(({ at }) => at <= cut) ?? { at: 0, rows: 0 };
    const found = read(bytes.subarray(0, cut));
    assert.equal(found.at, whole.at, `cut at ${cut}`);
    assert.deepEqual(found.rows, rows.slice(0, whole.rows));
  }
});

test('a changed byte ends the reading at its block', () => {
  const { bytes, rows, ends } = journalled(102);
  const random = generator(6);
  for (let i = 0; i < 400; i++) {
    const at = i < 40 ? i : Math.floor(random() * bytes.length);
    const damaged = Buffer.from(bytes);
    damaged[at] ^= 1 << Math.floor(random() * 8);
    const whole = ends.findLast((end) => end.at <= at) ?? { at: 0, rows: 0 };
    const found = read(damaged);
    assert.equal(found.at, whole.at, `byte ${at}`);
    assert.deepEqual(found.rows, rows.slice(0, whole.rows));
  }
});

test('a block of another segment, or one that is not next, is not read', () => {
  const { bytes, ends } = journalled(103);
  assert.deepEqual(read(bytes, 8), { rows: [], at: 0 });
  assert.deepEqual(read(bytes.subarray(ends[0]!.at)), { rows: [], at: 0 });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batch } from '../../src/recorder/batch.js';
import { Drain } from '../../src/recorder/drain.js';
import { allocateRing, type RingMemory, WRITTEN } from '../../src/ring/layout.js';
import { encodeSource } from '../../src/ring/source.js';
import { RingWriter } from '../../src/ring/writer.js';
import { generator } from '../catalog/generator.js';
import { append, lengths, type Sample, sample, sourceOf, whole } from '../ring/samples.js';

const NO_LIMITS = { rows: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

/**
 * The same memory as another thread sees it: between any two of the recorder's reads of a record, the writer may
 * have gone on. `interrupt` is called there.
 */
function contested(memory: RingMemory, interrupt: () => void): RingMemory {
  return {
    ...memory,
    get metas() {
      interrupt();
      return memory.metas;
    },
    get hashes() {
      interrupt();
      return memory.hashes;
    },
    get payloads() {
      interrupt();
      return memory.payloads;
    },
    get bytes() {
      interrupt();
      return memory.bytes;
    },
  };
}

/** Keys and payloads in the batch. */
function contents(batch: Batch): [number, string][] {
  const { rows, keys, payload } = batch.columns();
  return Array.from({ length: rows }, (_, i) => [
    Number(keys[i]),
    Buffer.from(payload.data.subarray(payload.valueOffsets[i], payload.valueOffsets[i + 1])).toString('hex'),
  ]);
}

for (let seed = 1; seed <= 8; seed++) {
  test(`every message is recorded whole or told as dropped, and once, whoever wins (seed ${seed})`, () => {
    const random = generator(seed);
    const memory = allocateRing(64, 8192);
    const writer = new RingWriter(memory);
    const batch = new Batch();
    const samples = new Map<number, string>();
    const recorded: [number, string][] = [];
    const dropped: number[] = [];
    const promised: number[] = [];
    const own = Array.from({ length: 30 }, (_, i) => sourceOf(`names/come/and/go/${i}`, null));
    let key = 0;
    let quiet = true;
    const publish = () => {
      const one: Sample = sample(random, ++key, whole(random, 0, 200), own[whole(random, 0, 60)]);
      writer.makeRoom(...lengths(one), (given, taken) => (taken ? promised : dropped).push(given));
      append(writer, one);
      samples.set(key, Buffer.from(one.message.payload).toString('hex'));
    };
    const drain = new Drain(
      contested(memory, () => {
        if (!quiet && random() < 0.02) for (let i = whole(random, 1, 5); i > 0; i--) publish();
      }),
      0,
      batch,
    );
    let lost = 0;
    for (let round = 0; round < 400; round++) {
      for (let i = whole(random, 0, 40); i > 0; i--) publish();
      quiet = random() < 0.3;
      for (let i = whole(random, 0, 6); i > 0; i--) if (drain.step(NO_LIMITS) === 'lost') lost++;
      quiet = true;
      if (random() < 0.2) {
        // A file: the messages are committed.
        recorded.push(...contents(batch));
        batch.clear();
        writer.commit(drain.position);
      }
    }
    while (drain.step(NO_LIMITS) !== 'nothing');
    recorded.push(...contents(batch));

    assert.ok(lost > 20, 'the writer won some races');
    assert.ok(dropped.length > 100 && recorded.length > 1000);
    const all = [...recorded.map(([given]) => given), ...dropped].sort((a, b) => a - b);
    assert.deepEqual(
      all,
      Array.from({ length: key }, (_, i) => i + 1),
    );
    for (const [given, payload] of recorded) assert.equal(payload, samples.get(given));
    const files = new Set(recorded.map(([given]) => given));
    assert.ok(promised.every((given) => files.has(given)));
    assert.ok(recorded.every(([given], i) => i === 0 || given > recorded[i - 1]![0]));
  });
}

test('a record that cannot be, though nobody overwrote it, is an error and not an endless loop', () => {
  const memory = allocateRing(8, 64);
  const writer = new RingWriter(memory);
  writer.append(1, encodeSource('a', null), 0, false, null, new Uint8Array(8));
  writer.publish();
  memory.payloads[0] = 1000;
  const drain = new Drain(memory, 0, new Batch());
  assert.throws(() => drain.step(NO_LIMITS), { code: 'INTERNAL' });
});

test('steps become small when races are lost, so that one is won between two messages', () => {
  const memory = allocateRing(1024, 65536);
  const writer = new RingWriter(memory);
  const source = encodeSource('a', null);
  const payload = new Uint8Array(8);
  const publish = () => {
    writer.makeRoom(source, 0, 8, () => {});
    writer.append(writer.written + 1, source, 0, false, null, payload);
    writer.publish();
  };
  for (let i = 0; i < 1024; i++) publish();
  let reads = 0;
  const drain = new Drain(
    contested(memory, () => {
      // The writer drops a message for each one it appends, every tenth read of the recorder.
      if (++reads % 10 === 0) publish();
    }),
    0,
    new Batch(),
  );
  let steps = 0;
  do steps++;
  while (drain.step(NO_LIMITS) === 'lost');
  assert.ok(steps <= 12, `won after ${steps} steps`);
});

test('sequences beyond 32 bits are followed', () => {
  const memory = allocateRing(8, 512);
  const from = 2 ** 32 - 3;
  memory.control[WRITTEN] = from | 0;
  memory.control[1] = from | 0;
  const batch = new Batch();
  const drain = new Drain(memory, from, batch);
  assert.equal(drain.step(NO_LIMITS), 'nothing');
  for (let sequence = from; sequence < from + 6; sequence++) {
    const slot = sequence & memory.mask;
    memory.keys[slot] = sequence;
    memory.offsets[slot] = slot * 8;
    memory.names[slot] = 1;
    Atomics.store(memory.control, WRITTEN, (sequence + 1) | 0);
  }
  assert.equal(drain.step(NO_LIMITS), 'took');
  assert.equal(drain.position, from + 6);
  assert.equal(batch.lastKey, from + 5);
});

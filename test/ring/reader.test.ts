import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { advance, allocateRing, TAIL, WRITTEN } from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';
import { encodeSource } from '../../src/ring/source.js';
import { RingWriter } from '../../src/ring/writer.js';
import { generator } from '../catalog/generator.js';
import { whole } from './samples.js';
import { expectedPayload, type TakerResult, type TakerStart, topicOf } from './taken.js';

for (const start of [2 ** 31 - 3, 2 ** 32 - 3, 2 ** 33 - 3, 3 * 2 ** 31 - 3]) {
  test(`taking goes on across sequence ${start + 3}`, () => {
    const { control } = allocateRing(8, 64);
    const memory = { ...allocateRing(8, 64), control };
    control[TAIL] = start | 0;
    control[WRITTEN] = (start + 6) | 0;
    const reader = new RingReader(memory, start);
    assert.deepEqual([reader.tail(), reader.written()], [start, start + 6]);
    assert.ok(reader.take(start, start + 2));
    assert.ok(!reader.take(start, start + 2));
    // The writer drops two.
    control[TAIL] = (start + 4) | 0;
    assert.ok(!reader.take(start + 2, start + 6));
    assert.deepEqual([reader.tail(), reader.written()], [start + 4, start + 6]);
    assert.ok(reader.take(start + 4, start + 6));
    assert.deepEqual([reader.tail(), reader.written()], [start + 6, start + 6]);
  });
}

test('a reader that starts behind finds the tail', () => {
  const memory = allocateRing(8, 64);
  const writer = new RingWriter(memory);
  const source = encodeSource('t', null);
  for (let i = 0; i < 30; i++) {
    writer.makeRoom(source, 0, 0, () => {});
    writer.append(i + 1, source, 0, false, null, new Uint8Array(0));
    writer.publish();
  }
  const reader = new RingReader(memory, 3);
  assert.deepEqual([reader.tail(), reader.written()], [writer.reusable, 30]);
});

test('with a thread that takes, every message is taken or given up, exactly once', async () => {
  const random = generator(11);
  const messages = 64;
  const { shared, size, ...memory } = allocateRing(messages, 4096);
  const writer = new RingWriter({ shared, size, ...memory });
  const total = 60_000;
  const start: TakerStart = { handle: { shared, messages, size }, total };
  const worker = new Worker(new URL('./taker.js', import.meta.url), { workerData: start });
  await once(worker, 'message');
  const answer = once(worker, 'message');

  const { control } = memory;
  const dropped: number[] = [];
  const handedOver: number[] = [];
  const giveUp = (key: number, taken: boolean) => (taken ? handedOver : dropped).push(key);
  const sources = Array.from({ length: 5 }, (_, i) => encodeSource(topicOf(i), `client-${i}`));
  let tail = 0;
  for (let key = 1; key <= total; key++) {
    const source = sources[key % 5]!;
    const payload = expectedPayload(key);
    if (!writer.fits(source, 0, payload.length)) {
      tail = advance(tail, Atomics.load(control, TAIL));
      if (random() < 0.5) writer.commit(whole(random, writer.committed, Math.max(tail, writer.committed)));
      writer.makeRoom(source, 0, payload.length, giveUp);
    }
    writer.append(key, source, key % 3, false, null, payload);
    writer.publish();
    if (key % 16 === 0) Atomics.notify(control, WRITTEN);
    if (key % 500 === 0) await setImmediate();
  }
  Atomics.notify(control, WRITTEN);
  const [{ keys, faults }] = (await answer) as [TakerResult];
  await worker.terminate();

  assert.deepEqual(faults, []);
  const taken = new Set(keys);
  assert.equal(taken.size, keys.length, 'none is taken twice');
  for (const key of handedOver) assert.ok(taken.has(key), `${key} was given up as taken`);
  const all = [...keys, ...dropped].sort((a, b) => a - b);
  assert.deepEqual(
    all,
    Array.from({ length: total }, (_, i) => i + 1),
  );
});

test('the recorder sees what was appended once it is published', () => {
  const ring = allocateRing(8, 1024);
  const writer = new RingWriter(ring);
  const reader = new RingReader(ring, 0);
  const source = encodeSource('t', null);
  writer.append(1, source, 0, false, null, new Uint8Array(3));
  assert.equal(writer.written, 1);
  assert.equal(reader.written(), 0);
  writer.publish();
  assert.equal(reader.written(), 1);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batch, ROW_BYTES } from '../../src/recorder/batch.js';
import { arrowTable } from '../../src/recorder/files/table.js';
import { allocateRing } from '../../src/ring/layout.js';
import { emptyParts, type Message, readParts } from '../../src/ring/record.js';
import { encodeSource } from '../../src/ring/source.js';
import { RingWriter } from '../../src/ring/writer.js';
import { generator } from '../catalog/generator.js';
import { append, type Sample, sample, sourceOf, whole } from '../ring/samples.js';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What stands in the batch, read as Arrow does. */
function rowsOf(batch: Batch): Message[] {
  const { rows, keys, codes, topics, clients, qos, retain, properties, payload } = batch.columns();
  const text = (view: typeof topics, i: number) =>
    view.nullBitmap !== undefined && ((view.nullBitmap[i >> 3]! >> (i & 7)) & 1) === 0
      ? null
      : decoder.decode(view.data.slice(view.valueOffsets[i], view.valueOffsets[i + 1]));
  return Array.from({ length: rows }, (_, i) => ({
    key: Number(keys[i]),
    topic: text(topics, codes[i]!)!,
    clientId: text(clients, codes[i]!),
    qos: qos[i] as 0 | 1 | 2,
    retain: ((retain[i >> 3]! >> (i & 7)) & 1) === 1,
    properties: text(properties, i),
    payload: Buffer.from(payload.data.slice(payload.valueOffsets[i], payload.valueOffsets[i + 1])),
  }));
}

function messageOf({ message }: Sample): Message {
  return { ...message, payload: Buffer.from(message.payload) };
}

test('rows are what was appended, however often it goes back to a mark or is cleared', () => {
  const random = generator(11);
  const writer = new RingWriter(allocateRing(4096, 2 ** 22));
  const batch = new Batch();
  const parts = emptyParts();
  let model: Sample[] = [];
  let key = 2 ** 32 - 3;
  for (let step = 0; step < 400; step++) {
    const mark = batch.mark();
    const added: Sample[] = [];
    const count = whole(random, 1, 12);
    batch.reserve(count);
    for (let i = 0; i < count; i++) {
      key += whole(random, 1, 2 ** 33);
      // Names of their own make the dictionary grow and its chains long.
      const own = sourceOf(`topic/${whole(random, 0, 200)}`, random() < 0.3 ? null : `c${step % 7}`);
      const one = sample(random, key, whole(random, 0, 300), random() < 0.5 ? own : undefined);
      writer.commit(writer.written);
      append(writer, one);
      assert.ok(readParts(writer.memory, writer.written - 1, parts));
      batch.append(writer.memory, parts);
      added.push(one);
    }
    if (random() < 0.4) batch.rollback(mark);
    else model.push(...added);
    if (random() < 0.02) {
      batch.clear();
      model = [];
    }
    if (step % 20 === 0) assert.deepEqual(rowsOf(batch), model.map(messageOf));
  }
  assert.deepEqual(rowsOf(batch), model.map(messageOf));
  assert.equal(batch.rows, model.length);
  assert.equal(batch.firstKey, model[0]!.message.key);
  assert.equal(batch.lastKey, model.at(-1)!.message.key);
});

test('equal names have one code, and their bytes are counted once', () => {
  const writer = new RingWriter(allocateRing(64, 4096));
  const batch = new Batch();
  const parts = emptyParts();
  const names: [string, string | null][] = [
    ['a', 'b'],
    ['ab', ''],
    ['ab', null],
    ['', 'ab'],
    ['a', 'b'],
    ['ab', null],
  ];
  batch.reserve(names.length);
  for (const [topic, client] of names) {
    writer.append(writer.written + 1, encodeSource(topic, client), 0, false, null, Buffer.from('xyz'));
    readParts(writer.memory, writer.written - 1, parts);
    batch.append(writer.memory, parts);
  }
  assert.deepEqual([...batch.columns().codes], [0, 1, 2, 3, 0, 2]);
  assert.equal(batch.rawBytes, 6 * (ROW_BYTES + 3) + 4 * 2);
});

test('names whose hashes are equal on purpose cost a bounded search and stay apart', () => {
  const memory = allocateRing(1024, 65536);
  const writer = new RingWriter(memory);
  const batch = new Batch();
  const parts = emptyParts();
  batch.reserve(600);
  for (let i = 0; i < 300; i++) {
    const source = { ...encodeSource(`topic-${i % 150}`, 'c'), hash: 42 };
    writer.append(i + 1, source, 0, false, null, Buffer.alloc(0));
    readParts(memory, i, parts);
    batch.append(memory, parts);
  }
  assert.deepEqual(
    rowsOf(batch).map(({ topic }) => topic),
    Array.from({ length: 300 }, (_, i) => `topic-${i % 150}`),
  );
  // Those beyond reach are added again each time; the others are found.
  assert.ok(batch.columns().names > 150);
  assert.ok(batch.columns().names < 300);
});

test('the Arrow table has the columns of the interface', () => {
  const batch = new Batch();
  assert.deepEqual(
    arrowTable(batch.columns()).schema.fields.map(({ name, type, nullable }) => [name, `${type}`, nullable]),
    [
      ['ts', 'Timestamp<MICROSECOND, UTC>', false],
      ['topic', 'Dictionary<Int32, Utf8>', false],
      ['client_id', 'Dictionary<Int32, Utf8>', true],
      ['qos', 'Int32', false],
      ['retain', 'Bool', false],
      ['properties', 'Utf8', true],
      ['payload', 'Binary', false],
    ],
  );
});

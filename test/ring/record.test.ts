import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocateRing } from '../../src/ring/layout.js';
import { copyMessage, emptyParts, readParts } from '../../src/ring/record.js';
import { encodeSource } from '../../src/ring/source.js';
import { RingWriter } from '../../src/ring/writer.js';
import { generator } from '../catalog/generator.js';
import { append, assertStands, noise, pick, sample, sourceOf, whole } from './samples.js';

test('payload, head and properties are exact at every alignment and length', () => {
  const random = generator(8);
  const ring = allocateRing(16, 2048);
  const writer = new RingWriter(ring);
  const heads = ['a', 'abcdefg', 'abcdefgh', 'x'.repeat(100)].map((topic) => sourceOf(topic, 'client'));
  let key = 0;
  for (let alignment = 0; alignment < 8; alignment++) {
    for (let length = 0; length <= 300; length++) {
      const one = sample(random, ++key, 0, pick(random, heads));
      const message = { ...one.message, payload: noise(random, length, alignment) };
      append(writer, { ...one, message });
      writer.commit(writer.written);
      const parts = emptyParts();
      assert.ok(readParts(ring, key - 1, parts));
      assert.equal(parts.payloadAt & 7, alignment);
      assert.equal(parts.topicAt & 7, 0);
      assertStands(ring, key - 1, message);
    }
  }
});

test('every QoS, retain flag and kind of client id', () => {
  const ring = allocateRing(64, 8192);
  const writer = new RingWriter(ring);
  for (const qos of [0, 1, 2] as const) {
    for (const retain of [false, true]) {
      for (const clientId of [null, '', 'c']) {
        for (const alignment of [0, 3, 7]) {
          const source = encodeSource('t', clientId);
          const payload = noise(() => 0.5, 3, alignment);
          const key = writer.written + 1;
          writer.append(key, source, qos, retain, null, payload);
          assertStands(ring, key - 1, { key, topic: 't', clientId, qos, retain, properties: null, payload });
          const parts = emptyParts();
          readParts(ring, key - 1, parts);
          assert.equal(parts.noClient, clientId === null);
          assert.equal(parts.hash, source.hash);
        }
      }
    }
    writer.commit(writer.written);
  }
});

test('a topic and a client id of 65,535 bytes, and large properties', () => {
  const random = generator(9);
  const ring = allocateRing(8, 1 << 19);
  const writer = new RingWriter(ring);
  const long = [
    sourceOf('t'.repeat(65_535), 'c'.repeat(65_535)),
    sourceOf('é'.repeat(32_767), null),
    sourceOf('t', '😀'.repeat(16_383)),
  ];
  for (let i = 0; i < 12; i++) {
    const one = sample(random, i + 1, 77, long[i % 3]);
    const properties = JSON.stringify('p'.repeat(100_000));
    const whole = { ...one, props: Buffer.from(properties), message: { ...one.message, properties } };
    append(writer, whole);
    writer.commit(writer.written);
    assertStands(ring, i, whole.message);
  }
});

test('a copy is its own, and text is text whatever its bytes', () => {
  const ring = allocateRing(8, 64);
  const writer = new RingWriter(ring);
  const source = encodeSource('\uFEFFt', 'c');
  writer.append(1, source, 0, false, Buffer.from([0xff, 0xfe]), new Uint8Array([1, 2, 3]));
  const message = copyMessage(ring, 0, emptyParts());
  ring.bytes.fill(0);
  assert.deepEqual([...message.payload], [1, 2, 3]);
  assert.ok(message.payload.buffer instanceof ArrayBuffer);
  assert.equal(message.topic, '\uFEFFt');
  assert.equal(message.properties, '\uFFFD\uFFFD');
});

test('the parts of a torn slot lie inside the memory or are not given', () => {
  const random = generator(10);
  const ring = allocateRing(8, 4096);
  const parts = emptyParts();
  let given = 0;
  for (let i = 0; i < 20_000; i++) {
    ring.positions[0] = random() < 0.7 ? whole(random, 0, 5000) : whole(random, 0, 0xffffffff);
    const number = () => (random() < 0.7 ? whole(random, 0, 500) : whole(random, 0, 0xffffffff));
    ring.names[0] = random() < 0.7 ? whole(random, 0, 500) | (whole(random, 0, 500) << 16) : number();
    ring.props[0] = number();
    ring.payloads[0] = number();
    ring.metas[0] = number();
    if (!readParts(ring, 8 * i, parts)) continue;
    given++;
    const { topicAt, topicBytes, clientBytes, propsAt, propsBytes, payloadAt, payloadBytes } = parts;
    assert.ok(topicAt >= 0 && propsAt >= topicAt && payloadAt >= propsAt);
    // Half an offset of one record and half of another can be a fraction; views cut it off.
    const ends = [topicAt + topicBytes + clientBytes, propsAt + propsBytes, payloadAt + payloadBytes];
    for (const end of ends) assert.ok(Math.floor(end) <= ring.size);
  }
  assert.ok(given > 2000 && given < 19_000, `${given}`);
});

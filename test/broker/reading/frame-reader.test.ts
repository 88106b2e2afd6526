import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameReader } from '../../../src/broker/reading/frame-reader.js';
import { varIntBytes, writeVarInt } from '../../../src/broker/var-int.js';
import { generator } from '../../catalog/generator.js';

const SIZES = [0, 1, 2, 125, 126, 127, 128, 300, 16_383, 16_384, 70_000];

/** A packet whose remaining length is `remaining`, with bytes that tell it from others. */
function packetOf(first: number, remaining: number, seed: number): Buffer {
  const head = Buffer.alloc(1 + varIntBytes(remaining), first);
  writeVarInt(head, remaining, 1);
  return Buffer.concat([head, Buffer.alloc(remaining, seed & 0xff)]);
}

function found({ bytes, start, body, end, size }: FrameReader): { packet: Buffer; headerBytes: number } {
  assert.equal(end - start, size);
  return { packet: Buffer.from(bytes.subarray(start, end)), headerBytes: body - start };
}

for (const seed of [1, 2, 3]) {
  test(`packets are found whole and in order, however they are cut into chunks; seed ${seed}`, () => {
    const random = generator(seed);
    const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)];
    const packets = Array.from({ length: 400 }, (_, n) => packetOf(0x10 + (n % 200), pick(SIZES), n));
    const stream = Buffer.concat(packets);
    const reader = new FrameReader(100_000);
    let next = 0;
    for (let at = 0; at < stream.length; ) {
      const bytes = pick([1, 2, 3, 5, 64, 1000, 65_536]);
      reader.feed(stream.subarray(at, at + bytes));
      at += bytes;
      // What is left is found after the next chunk.
      let patience = random() < 0.2 ? Math.floor(random() * 3) : Number.POSITIVE_INFINITY;
      while (patience-- > 0 && reader.next()) {
        const { packet, headerBytes } = found(reader);
        assert.ok(packet.equals(packets[next]), `packet ${next}`);
        assert.equal(headerBytes, 1 + varIntBytes(packet.length - headerBytes));
        next++;
      }
    }
    while (reader.next()) assert.ok(found(reader).packet.equals(packets[next++]));
    assert.equal(next, packets.length);
    assert.equal(reader.fault, null);
  });
}

test('a packet within a chunk stays where it is, one in pieces is joined into memory of its own', () => {
  const chunk = Buffer.concat([packetOf(0x10, 10, 1), packetOf(0x20, 10, 2)]);
  const reader = new FrameReader(1000);
  reader.feed(chunk);
  assert.ok(reader.next());
  assert.equal(reader.bytes, chunk);
  assert.ok(reader.next());
  assert.equal(reader.bytes, chunk);
  assert.equal(reader.next(), false);
  reader.feed(chunk.subarray(0, 5));
  assert.equal(reader.next(), false);
  reader.feed(chunk.subarray(5));
  assert.ok(reader.next());
  assert.notEqual(reader.bytes, chunk);
  assert.equal(reader.bytes.length, 12);
  assert.ok(reader.next());
  assert.equal(reader.start, 7);
});

for (const seed of [4, 5, 6]) {
  test(`what is read to where it is wanted is not copied, and nothing else is read there; seed ${seed}`, () => {
    const random = generator(seed);
    const sizes = [0, 10, 5000, 20_000, 70_000, 300_000, 1_500_000];
    const packets = Array.from({ length: 60 }, (_, n) =>
      packetOf(0x10 + n, sizes[Math.floor(random() * sizes.length)], n),
    );
    const stream = Buffer.concat(packets);
    const reader = new FrameReader(2_000_000);
    const common = Buffer.alloc(65_536);
    let next = 0;
    let direct = 0;
    for (let at = 0; at < stream.length; ) {
      // As a socket does it: as much as there is, at most what the buffer holds.
      const wanted = reader.wanted();
      const target = wanted ?? common;
      assert.ok(target.length > 0);
      const there = random() < 0.3 ? 1 + Math.floor(random() * 100) : 1 + Math.floor(random() * 200_000);
      const bytes = stream.copy(target, 0, at, Math.min(at + there, at + target.length));
      at += bytes;
      const chunk = target.subarray(0, bytes);
      if (wanted !== null) direct += bytes;
      reader.feed(wanted === null ? Buffer.from(chunk) : chunk);
      while (reader.next()) {
        assert.ok(found(reader).packet.equals(packets[next]), `packet ${next}`);
        next++;
      }
    }
    assert.equal(next, packets.length);
    assert.ok(direct > stream.length / 2, `${direct} of ${stream.length}`);
  });
}

test('the memory of a packet grows with what has come of it, not with what was announced', () => {
  const most = 64 * 1024 * 1024;
  const reader = new FrameReader(most);
  const head = Buffer.alloc(1 + 4, 0x30);
  writeVarInt(head, most - 10, 1);
  reader.feed(head);
  assert.equal(reader.next(), false);
  let come = head.length;
  for (let i = 0; i < 10; i++) {
    const wanted = reader.wanted()!;
    assert.ok(
      wanted.buffer.byteLength <= Math.max(65_536, come * 10),
      `${wanted.buffer.byteLength} for ${come}`,
    );
    reader.feed(wanted);
    come += wanted.length;
    assert.equal(reader.next(), come === most - 10 + head.length);
    if (come === most - 10 + head.length) return;
  }
  assert.fail('never whole');
});

test('a packet of the largest size is found, a larger one is a fault as soon as its length is known', () => {
  const largest = packetOf(0x30, 97, 1);
  assert.equal(largest.length, 99);
  const reader = new FrameReader(99);
  reader.feed(largest);
  assert.ok(reader.next());
  for (const remaining of [98, 16_384, 2_097_152, 268_435_455]) {
    const one = new FrameReader(99);
    const head = Buffer.alloc(1 + varIntBytes(remaining), 0x30);
    writeVarInt(head, remaining, 1);
    one.feed(head);
    assert.equal(one.next(), false);
    assert.equal(one.fault?.reason, 0x95);
    assert.equal(one.size, head.length + remaining);
  }
});

test('a remaining length of more than four bytes is malformed, in one chunk or byte by byte', () => {
  const bytes = Buffer.of(0x30, 0xff, 0xff, 0xff, 0xff, 0x01);
  const whole = new FrameReader(1000);
  whole.feed(bytes);
  assert.equal(whole.next(), false);
  assert.equal(whole.fault?.reason, null);
  const single = new FrameReader(1000);
  for (let at = 0; at < bytes.length && single.fault === null; at++) {
    single.feed(bytes.subarray(at, at + 1));
    assert.equal(single.next(), false);
  }
  assert.equal(single.fault?.reason, null);
});

test('a remaining length that is longer than it need be is malformed where that is forbidden', () => {
  for (const length of [
    [0x80, 0x00],
    [0x82, 0x80, 0x00],
    [0x80, 0x80, 0x80, 0x00],
  ]) {
    const bytes = Buffer.of(0x30, ...length, 1, 2);
    for (const shortest of [false, true]) {
      const reader = new FrameReader(1000);
      reader.shortest = shortest;
      reader.feed(bytes);
      assert.equal(reader.next(), !shortest, length.join());
      assert.equal(reader.fault === null, !shortest);
    }
  }
});

test('packet type 0 is a fault from its first byte on', () => {
  for (let first = 0; first < 16; first++) {
    const reader = new FrameReader(1000);
    reader.feed(Buffer.of(first));
    assert.equal(reader.next(), false);
    assert.equal(reader.fault?.reason, 0x82);
  }
});

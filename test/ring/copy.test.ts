import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyWords, type WordView } from '../../src/ring/copy.js';
import { allocateRing, type RingMemory } from '../../src/ring/layout.js';
import { generator } from '../catalog/generator.js';
import { noise } from './samples.js';

const GUARD = 0xa5;

function assertCopied(view: WordView, memory: RingMemory, payload: Uint8Array, position: number): void {
  const end = position + payload.length;
  memory.bytes.fill(GUARD, position - 16, end + 16);
  copyWords(view, payload, 0, payload.length, memory, position);
  const around = Buffer.from(memory.bytes.slice(position - 16, end + 16));
  const guard = Buffer.alloc(16, GUARD);
  const where = `${payload.length} bytes from ${payload.byteOffset} to ${position}`;
  assert.ok(around.equals(Buffer.concat([guard, payload, guard])), where);
  // As a part of what it lies in.
  memory.bytes.fill(GUARD, position - 16, end + 16);
  const { buffer, byteOffset, length } = payload;
  copyWords(view, new Uint8Array(buffer), byteOffset, byteOffset + length, memory, position);
  const again = Buffer.from(memory.bytes.slice(position - 16, end + 16));
  assert.ok(again.equals(around), `a part: ${where}`);
}

test('every length at every alignment is copied exactly, and nothing beside it', () => {
  const random = generator(3);
  const memory = allocateRing(8, 4096);
  const view: WordView = { buffer: null, words: null };
  for (let alignment = 0; alignment < 8; alignment++) {
    for (let length = 0; length <= 300; length++) {
      // The payload ends where its buffer ends, whatever that is modulo 4.
      assertCopied(view, memory, noise(random, length, alignment), 1024 + alignment);
    }
  }
});

test('payloads of one chunk, of chunks in turn, and of shared memory', () => {
  const random = generator(4);
  const memory = allocateRing(8, 4096);
  const view: WordView = { buffer: null, words: null };
  const shared = new Uint8Array(new SharedArrayBuffer(1003));
  shared.set(noise(random, 1003));
  const chunks = [noise(random, 1001), shared, noise(random, 4000)];
  for (let i = 0; i < 600; i++) {
    const chunk = chunks[i % 7 < 4 ? 0 : i % 3]!;
    const from = Math.floor(random() * 900);
    const payload = chunk.subarray(from, from + Math.floor(random() * 101));
    assertCopied(view, memory, payload, 64 + (payload.byteOffset & 7));
  }
});

test('words that are no canonical number keep their bits', () => {
  const memory = allocateRing(8, 4096);
  const view: WordView = { buffer: null, words: null };
  const signalling = Buffer.from('010000000000f07fffffffffffffffff000000000000f8ff'.repeat(2), 'hex');
  assertCopied(view, memory, new Uint8Array(signalling), 64);
});

test('a buffer that was resized since', () => {
  const memory = allocateRing(8, 4096);
  const view: WordView = { buffer: null, words: null };
  // lib.es2023 does not know resizable buffers, Node 20 does.
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(length: number): void };
  const buffer = new Resizable(64, { maxByteLength: 1024 });
  assertCopied(view, memory, new Uint8Array(buffer, 0, 64).fill(1), 64);
  buffer.resize(1024);
  assertCopied(view, memory, new Uint8Array(buffer, 512, 64).fill(2), 64);
});

test('a payload above 2 GiB of its buffer', () => {
  const memory = allocateRing(8, 4096);
  const view: WordView = { buffer: null, words: null };
  // Only the pages that are touched take memory.
  const buffer = new ArrayBuffer(2 ** 31 + 4099);
  for (const from of [2 ** 31 - 32, 2 ** 31 + 1, 2 ** 31 + 4099 - 64]) {
    assertCopied(view, memory, new Uint8Array(buffer, from, 64).fill(from & 0xff), 64 + (from & 7));
  }
});

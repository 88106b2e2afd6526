import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeSource } from '../../src/ring/source.js';
import { SOURCES } from './samples.js';

const headOf = (source: { head: Int32Array }) => Buffer.from(new Uint8Array(source.head.buffer));

test('the head is topic and client id in UTF-8, with zeros up to a multiple of 8', () => {
  for (const source of SOURCES) {
    const topic = Buffer.from(source.topic);
    const client = Buffer.from(source.clientId ?? '');
    const head = headOf(source);
    assert.deepEqual([source.topicBytes, source.clientBytes], [topic.length, client.length]);
    assert.equal(head.length, Math.ceil((topic.length + client.length) / 8) * 8);
    assert.ok(head.equals(Buffer.concat([topic, client], head.length)));
    assert.equal(source.hasClient, source.clientId !== null);
    const { topic: _, clientId: __, ...encoded } = source;
    assert.deepEqual(encodeSource(topic, source.clientId === null ? null : client), encoded);
  }
});

test('equal heads have equal hashes, others mostly have not', () => {
  const hashes = new Map<string, number>();
  for (let i = 0; i < 4000; i++) {
    const { head, hash } = encodeSource(`vehicle/${i % 50}`, `client-${Math.floor(i / 50)}`);
    assert.ok(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32);
    hashes.set(Buffer.from(head.buffer).toString('hex'), hash);
  }
  assert.equal(hashes.size, 4000);
  assert.ok(new Set(hashes.values()).size > 3990);
  for (let i = 0; i < 100; i++) {
    assert.equal(encodeSource('t/1', 'c').hash, encodeSource('t/1', 'c').hash);
  }
  // The same bytes with another border between them: whoever interns compares the lengths too.
  assert.equal(encodeSource('ab', 'c').hash, encodeSource('a', 'bc').hash);
  assert.equal(encodeSource('a', null).hash, encodeSource('a', '').hash);
});

test('the hash is FNV-1a with 32 bits', () => {
  assert.equal(encodeSource('chongo w', null).hash, fnv1a('chongo w'));
  assert.equal(encodeSource('12345678', null).hash, fnv1a('12345678'));
});

test('names of 65,535 bytes are taken, longer ones refused', () => {
  const longest = encodeSource(`${'é'.repeat(32_767)}x`, 'y'.repeat(65_535));
  assert.deepEqual([longest.topicBytes, longest.clientBytes], [65_535, 65_535]);
  const tooLong = { code: 'INTERNAL', message: /more than 65535 bytes/ };
  assert.throws(() => encodeSource('x'.repeat(65_536), null), tooLong);
  assert.throws(() => encodeSource('x', 'y'.repeat(65_536)), tooLong);
  // What 30,000 bytes that are no UTF-8 have become when they come out of a packet.
  assert.throws(() => encodeSource('\uFFFD'.repeat(30_000), null), tooLong);
});

function fnv1a(text: string): number {
  let hash = 0x811c9dc5n;
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
  return Number(hash);
}

/** Sealed files: what is in them comes back, anywhere; what was done to them is found out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME_BYTES, Layout } from '../../src/seal/envelope.js';
import { OpenedBytes } from '../../src/seal/opened-bytes.js';
import { SLOT_BYTES } from '../../src/seal/slot.js';
import { Unsound } from '../../src/seal/unsound.js';
import { frames, MemorySource, noise, opened, SEALED_FRAME_BYTES, seal, unsealed } from './fixture.js';
import { keyringOf } from './keys.js';

const keyring = keyringOf('a');
const SIZES = [0, 1, 1000, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES, 200_001];

test('what was sealed comes back, whatever its size', async () => {
  for (const size of SIZES) {
    const bytes = noise(size);
    const file = seal(bytes, keyring);
    assert.equal(new Layout(file.length).byteLength, size);
    assert.deepEqual(await unsealed(file, keyring), bytes);
  }
});

test('nothing of it stands in the file', () => {
  const text = 'position of the driver, who lives here';
  const file = seal(Buffer.from(text.repeat(100)), keyring);
  assert.equal(file.indexOf(text.slice(0, 12)), -1);
});

test('no two frames of any file have the same nonce, nor two files the same bytes', () => {
  const nonces = new Set<string>();
  const bytes = Buffer.alloc(4 * FRAME_BYTES);
  let count = 0;
  for (let i = 0; i < 50; i++) {
    for (const frame of frames(seal(bytes, keyring))) {
      nonces.add(frame.toString('hex', 0, 12));
      nonces.add(frame.toString('hex', 12, 44));
      count += 2;
    }
  }
  assert.equal(nonces.size, count);
});

test('a range is read without the rest', async () => {
  const bytes = noise(20 * FRAME_BYTES + 5);
  const source = new MemorySource(seal(bytes, keyring));
  const file = await OpenedBytes.open(source, keyring, 'the file');
  source.reads.length = 0;
  const range = Buffer.alloc(1000);
  const at = 7 * FRAME_BYTES - 500;
  await file.read(range, at);
  assert.deepEqual(range, bytes.subarray(at, at + 1000));
  const begun = [6, 7].map((frame) => SLOT_BYTES + frame * SEALED_FRAME_BYTES);
  assert.deepEqual(
    source.reads.filter((position) => begun.includes(position)),
    begun,
  );
  const most = begun[1] + SEALED_FRAME_BYTES;
  assert.ok(source.reads.every((position) => position >= begun[0] && position < most));
});

test('ranges at random, many at the same time', async () => {
  const bytes = noise(40 * FRAME_BYTES - 17);
  const file = await opened(seal(bytes, keyring), keyring);
  const random = noise(400, 7);
  const read = async (i: number) => {
    const start = Math.floor((random.readUInt16LE(i) / 65_536) * bytes.length);
    const range = Buffer.alloc(Math.min(random[i + 1] * 700, bytes.length - start));
    await file.read(range, start);
    assert.deepEqual(range, bytes.subarray(start, start + range.length));
  };
  await Promise.all(Array.from({ length: 199 }, (_, i) => read(i * 2)));
  await assert.rejects(file.read(Buffer.alloc(2), bytes.length - 1), Unsound);
});

test('every kind of byte, changed, is found out', async () => {
  const bytes = noise(2 * FRAME_BYTES + 100);
  const file = seal(bytes, keyring);
  const places = new Set<number>();
  // All of the slot; of each frame nonce, tag, and some of what is between.
  for (let at = 0; at < SLOT_BYTES; at++) places.add(at);
  for (let start = SLOT_BYTES; start < file.length; start += SEALED_FRAME_BYTES) {
    const end = Math.min(start + SEALED_FRAME_BYTES, file.length);
    for (let i = 0; i < 28; i++) places.add(start + i).add(end - 1 - i);
    for (let i = 1; i < 20; i++) places.add(start + Math.floor(((end - start) * i) / 20));
  }
  for (const at of places) {
    const changed = Buffer.from(file);
    changed[at] ^= 1 << (at % 8);
    await assert.rejects(unsealed(changed, keyring), Unsound, `byte ${at}`);
  }
});

test('one that was cut off anywhere is not opened', async () => {
  const file = seal(noise(3 * FRAME_BYTES), keyring);
  const lengths = [0, 1, SLOT_BYTES - 1, SLOT_BYTES, SLOT_BYTES + 28, file.length - 1];
  for (let frame = 1; frame < 3; frame++) {
    const end = SLOT_BYTES + frame * SEALED_FRAME_BYTES;
    lengths.push(end - 1, end, end + 1, end + 28, end + 29);
  }
  for (const length of lengths) {
    await assert.rejects(opened(file.subarray(0, length), keyring), Unsound, `${length} bytes`);
  }
  await assert.rejects(opened(Buffer.concat([file, file.subarray(-100)]), keyring), Unsound);
});

test('frames in another order, left out, twice, or of another file', async () => {
  const file = seal(noise(4 * FRAME_BYTES), keyring);
  const other = frames(seal(noise(4 * FRAME_BYTES), keyring));
  const slot = file.subarray(0, SLOT_BYTES);
  const [a, b, c, d] = frames(file);
  for (const changed of [
    [b, a, c, d],
    [a, c, b, d],
    [a, b, d],
    [b, c, d],
    [a, b, c],
    [a, b, c, d, d],
    [a, a, c, d],
    [a, b, c, c],
    [a, other[1], c, d],
    [a, b, c, other[3]],
    other,
  ]) {
    await assert.rejects(unsealed(Buffer.concat([slot, ...changed]), keyring), Unsound);
  }
});

import type { RingMemory } from './layout.js';

/** The last buffer copied from, as words: a socket's chunk holds hundreds of payloads. */
export interface WordView {
  buffer: ArrayBufferLike | null;
  words: Int32Array | null;
}

/** From here on one call of `set` is cheaper than the loop (measured: 35-50 ns a call). */
const CALL_PAYS = 96;

/**
 * Copies a payload to `position`, which is congruent to `payload.byteOffset` modulo 8.
 * Words of 4, not of 8: a Float64 might not keep the bits of a NaN, and a BigInt allocates.
 */
export function copyWords(view: WordView, payload: Uint8Array, memory: RingMemory, position: number): void {
  const length = payload.length;
  const { bytes } = memory;
  if (length >= CALL_PAYS) {
    bytes.set(payload, position);
    return;
  }
  const from = payload.byteOffset;
  if (length < 16) {
    for (let i = 0; i < length; i++) bytes[position + i] = payload[i];
    return;
  }
  if (view.buffer !== payload.buffer) {
    view.buffer = payload.buffer;
    view.words = new Int32Array(payload.buffer, 0, payload.buffer.byteLength >> 2);
  }
  const source = view.words!;
  const target = memory.words;
  let i = 0;
  const lead = -from & 3;
  for (; i < lead; i++) bytes[position + i] = payload[i];
  const shift = ((position + i) >> 2) - ((from + i) >> 2);
  const last = (from + length) >> 2;
  for (let w = (from + i) >> 2; w < last; w++) target[w + shift] = source[w];
  for (i = last * 4 - from; i < length; i++) bytes[position + i] = payload[i];
}

import type { RingMemory } from './layout.js';

/** The last buffer copied from, as words: a socket's chunk holds hundreds of payloads. */
export interface WordView {
  buffer: ArrayBufferLike | null;
  words: Int32Array | null;
}

/** From here on one call of `set` is cheaper than the loop (measured: 35-50 ns a call). */
const CALL_PAYS = 96;

/**
 * Copies a payload, `start..end` of `payload`, to `position`; the two are congruent modulo 8 in their buffers.
 * Words of 4, not of 8: a Float64 might not keep the bits of a NaN, and a BigInt allocates.
 */
export function copyWords(
  view: WordView,
  payload: Uint8Array,
  start: number,
  end: number,
  memory: RingMemory,
  position: number,
): void {
  const length = end - start;
  const { bytes } = memory;
  if (length >= CALL_PAYS) {
    bytes.set(start === 0 && end === payload.length ? payload : payload.subarray(start, end), position);
    return;
  }
  if (length < 16) {
    for (let i = 0; i < length; i++) bytes[position + i] = payload[start + i];
    return;
  }
  const lead = -position & 3;
  // Unsigned: a buffer may have up to 4 GiB.
  const from = (payload.byteOffset + start + lead) >>> 2;
  const to = (position + lead) >>> 2;
  const count = (length - lead) >>> 2;
  // A resizable buffer may have grown since.
  if (view.buffer !== payload.buffer || view.words!.length < from + count) {
    view.buffer = payload.buffer;
    view.words = new Int32Array(payload.buffer, 0, Math.floor(payload.buffer.byteLength / 4));
  }
  const source = view.words!;
  const target = memory.words;
  for (let i = 0; i < lead; i++) bytes[position + i] = payload[start + i];
  for (let w = 0; w < count; w++) target[to + w] = source[from + w];
  for (let i = lead + count * 4; i < length; i++) bytes[position + i] = payload[start + i];
}

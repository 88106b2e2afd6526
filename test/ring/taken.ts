import type { RingHandle } from '../../src/ring/layout.js';

export interface TakerStart {
  readonly handle: RingHandle;
  /** Messages that there will be. */
  readonly total: number;
}

export interface TakerResult {
  readonly keys: readonly number[];
  /** Messages that were taken but are not what was written. */
  readonly faults: readonly string[];
}

/** Message `key` is on the topic of `key % 5`. */
export function topicOf(index: number): string {
  return `vehicle/${'x'.repeat(index * 3)}/${index}`;
}

/** What message `key` carries: 0 to 200 bytes that follow from the key, at any alignment. */
export function expectedPayload(key: number): Uint8Array {
  const alignment = key % 8;
  const length = Math.imul(key, 0x9e3779b1) >>> 0;
  const payload = new Uint8Array(new ArrayBuffer(alignment + (length % 201)), alignment);
  for (let i = 0; i < payload.length; i++) payload[i] = (key + i * 7) & 0xff;
  return payload;
}

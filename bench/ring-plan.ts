/** What the two threads of `ring` agree on. */
import type { RingHandle } from '../src/ring/layout.js';

export type Way = 'ring' | 'postMessage' | 'arrays' | 'packed';

export interface RingPlan {
  readonly way: Way;
  readonly messages: number;
  readonly payloadBytes: number;
  readonly ring: RingHandle;
  readonly doorbell: SharedArrayBuffer;
  /** One Int32: messages received. */
  readonly received: SharedArrayBuffer;
}

/** Sent by the consumer once it has all: the sum of all messages' numbers, and of their last bytes. */
export interface Sums {
  readonly numbers: number;
  readonly bytes: number;
}

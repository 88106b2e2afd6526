import { check } from '../question.js';

/** What the load generator does once: new connections, messages, and waiting until all of them have arrived. */
export interface FlowPlan {
  readonly port: number;
  readonly publishers: number;
  readonly subscribers: number;
  /** Of publishers and subscribers. */
  readonly qos: 0 | 1 | 2;
  /** At least `STAMP_BYTES`. */
  readonly payloadBytes: number;
  /** Publisher n publishes on `<topic>/<n>`; subscribers take `<topic>/#`. */
  readonly topic: string;
  /** It ends with whichever is first. */
  readonly messages: number;
  readonly seconds: number;
  /** Messages a second of all publishers together; 0: as fast as the broker takes them. */
  readonly rate?: number;
  readonly latencies?: boolean;
}

/** Every payload begins with: number of its publisher and its own (32 bits each), when it was sent (64 bits). */
export const STAMP_BYTES = 16;

export interface FlowResult {
  readonly sent: number;
  /** By the broker; for QoS 0 this is `sent`. */
  readonly acknowledged: number;
  /** By all subscribers together. */
  readonly received: number;
  /** Received twice, out of order, or after one that is missing. */
  readonly wrong: number;
  /** From the first message to the last one received or acknowledged. */
  readonly seconds: number;
  /** Processor time of the generator, as a share of `seconds`: near 1 it was what limits the speed. */
  readonly generatorShare: number;
  /** If asked for, pairs: when a message was sent (ms since the epoch), and after how many ms it was received. */
  readonly latencies: Float64Array;
}

/** Throws `CheckFailed` unless everything arrived everywhere, once, in order. */
export function checkFlow({ subscribers }: FlowPlan, result: FlowResult): void {
  const { sent, acknowledged, received, wrong } = result;
  check('messages out of order, missing or doubled', wrong, 0);
  check('messages acknowledged', acknowledged, sent);
  check('messages received', received, sent * subscribers);
}

/** Milliseconds since the epoch, finer than `Date.now`, the same in all processes of this machine. */
export function exactNow(): number {
  return performance.timeOrigin + performance.now();
}

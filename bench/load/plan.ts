import type { Cpu } from '../process-cost.js';
import { CheckFailed, check } from '../question.js';

export type Protocol = 'tcp' | 'ws';

/** What the load generator does once: new connections, messages, and waiting until all of them have arrived. */
export interface FlowPlan {
  readonly port: number;
  /** `tcp` if left out. */
  readonly protocol?: Protocol;
  /** The broker's process; its processor time is read when all clients are there. */
  readonly pid?: number;
  readonly publishers: number;
  readonly subscribers: number;
  /** Of publishers and subscribers. */
  readonly qos: 0 | 1 | 2;
  /** At least `STAMP_BYTES`. */
  readonly payloadBytes: number;
  /** Publisher n publishes on `<topic>/<n>`; subscribers take `<topic>/#`. */
  readonly topic: string;
  /** Subscriber n takes `<topic>/<n>` only; there are as many of both. */
  readonly pairs?: boolean;
  /** So many of the subscribers do not read once all are there; nothing is expected of them. */
  readonly stalled?: number;
  /** Publisher n's messages go round so many topics below `<topic>/<n>`, see `distinctTopic`. */
  readonly topics?: number;
  readonly crowd?: CrowdPlan;
  /** It ends with whichever is first. */
  readonly messages: number;
  readonly seconds: number;
  /** Messages a second of all publishers together; 0: as fast as the broker takes them. */
  readonly rate?: number;
  readonly latencies?: boolean;
}

/** Clients beside the subscribers that hold filters of all kinds, of which most match nothing. */
export interface CrowdPlan {
  readonly clients: number;
  readonly filters: number;
  /** So many filters match one of the first publisher's `topics` each, and no two the same one. */
  readonly matching: number;
}

/** Every payload begins with: number of its publisher and its own (32 bits each), when it was sent (64 bits). */
export const STAMP_BYTES = 16;
export const TOPIC_DIGITS = 7;

/** The topic of a publisher's message `n`, if each has its own. */
export function distinctTopic(topic: string, publisher: number, n: number): string {
  return `${topic}/${publisher}/${String(n).padStart(TOPIC_DIGITS, '0')}`;
}

export interface FlowResult {
  /** What ended it early. */
  readonly failure: string | null;
  readonly sent: number;
  /** By the broker; for QoS 0 this is `sent`. */
  readonly acknowledged: number;
  /** By all subscribers together that are not stalled. */
  readonly received: number;
  /** Received twice, out of order, or after one that is missing. */
  readonly wrong: number;
  /** What reached the crowd, less what its filters match. */
  readonly crowdExcess: number;
  /** From the first message to the last one received or acknowledged. */
  readonly seconds: number;
  /** Processor time of the generator, as a share of `seconds`: near 1 it was what limits the speed. */
  readonly generatorShare: number;
  /** If asked for, pairs: when a message was sent (ms since the epoch), and after how many ms it was received. */
  readonly latencies: Float64Array;
  /** Of the process in the plan, when the flow began. */
  readonly cpuBefore: Cpu;
}

/** How many subscribers get a message. */
export function readersOf({ pairs, subscribers, stalled = 0 }: FlowPlan): number {
  return pairs === true ? 1 : subscribers - stalled;
}

/** Throws `CheckFailed` unless it went to its end, and everything arrived everywhere, once, in order. */
export function checkFlow(plan: FlowPlan, result: FlowResult): void {
  const { failure, sent, acknowledged, received, wrong, crowdExcess } = result;
  if (failure !== null) throw new CheckFailed(failure);
  check('messages out of order, missing or doubled', wrong, 0);
  check('messages acknowledged', acknowledged, sent);
  check('messages received', received, sent * readersOf(plan));
  check('messages too many for the crowd', crowdExcess, 0);
}

/** Milliseconds since the epoch, finer than `Date.now`, the same in all processes of this machine. */
export function exactNow(): number {
  return performance.timeOrigin + performance.now();
}

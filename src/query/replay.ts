import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KeyRange } from '../catalog/entry.js';
import type { Message } from '../ring/record.js';
import { type Outlet, replayed } from './outlet.js';
import { type SequenceParts, sequence } from './sequence.js';

/** Time for replays in original timing; ms. */
export interface Pace {
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface ReplayOrder {
  readonly id: string;
  readonly ranges: readonly KeyRange[];
  readonly topic: string | null;
  /** 0: as fast as the subscribers take it; 1: original timing; 10: ten times as fast. */
  readonly rate: number;
  readonly limit: number | null;
}

export interface Replayed {
  count: number;
  firstKey: number | null;
  lastKey: number | null;
}

/** After so many messages the event loop gets its turn, whatever the subscribers say. */
const TURN_MESSAGES = 128;
/** Longer delays a timer takes for none. ms. */
const MOST_SLEEP = 2 ** 31 - 1;

/**
 * Sends the messages of some ranges to `MQfile/<id>/...` in key order. It waits for its subscribers and nobody waits
 * for it: one replay is one asynchronous loop that holds at most one batch. Throws the reason of an abort.
 */
export async function replay(
  parts: SequenceParts,
  order: ReplayOrder,
  outlet: Outlet,
  pace: Pace,
  signal: AbortSignal,
): Promise<Replayed> {
  const result: Replayed = { count: 0, firstKey: null, lastKey: null };
  let started = 0;
  for (const range of order.ranges) {
    for await (const batch of sequence(parts, range, order.topic)) {
      for (const message of batch) {
        signal.throwIfAborted();
        if (order.rate > 0) {
          if (result.firstKey === null) started = pace.now();
          const due = started + (message.key - (result.firstKey ?? message.key)) / 1000 / order.rate;
          await reached(due, pace, signal);
        }
        await sent(outlet, order.id, message, result, signal);
        if (result.count === order.limit) return result;
      }
    }
  }
  return result;
}

async function reached(due: number, pace: Pace, signal: AbortSignal): Promise<void> {
  for (let ahead = due - pace.now(); ahead > 1; ahead = due - pace.now()) {
    await pace.sleep(Math.min(ahead, MOST_SLEEP), signal);
    signal.throwIfAborted();
  }
}

async function sent(
  outlet: Outlet,
  id: string,
  message: Message,
  result: Replayed,
  signal: AbortSignal,
): Promise<void> {
  result.count++;
  result.firstKey ??= message.key;
  result.lastKey = message.key;
  const busy = outlet.send(replayed(id, message));
  if (busy !== null) await unlessAborted(busy, signal);
  else if (result.count % TURN_MESSAGES === 0) await nextTurn();
}

/** What the promise resolves to; throws the reason of an abort, at once. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

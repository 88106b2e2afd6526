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

/**
 * Sends the messages of some ranges to `MQfile/<id>/...` in key order. It waits for its subscribers and nobody waits
 * for it: one replay is one asynchronous loop that holds at most one batch.
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
        if (signal.aborted || result.count === order.limit) return result;
        if (order.rate > 0) {
          if (result.firstKey === null) started = pace.now();
          const due = started + (message.key - (result.firstKey ?? message.key)) / 1000 / order.rate;
          const ahead = due - pace.now();
          if (ahead > 1) await pace.sleep(ahead, signal);
        }
        await sent(outlet, order.id, message, result);
      }
    }
  }
  return result;
}

async function sent(outlet: Outlet, id: string, message: Message, result: Replayed): Promise<void> {
  result.count++;
  result.firstKey ??= message.key;
  result.lastKey = message.key;
  const busy = outlet.send(replayed(id, message));
  if (busy !== null) await busy;
  else if (result.count % TURN_MESSAGES === 0) await new Promise<void>((resolve) => setImmediate(resolve));
}

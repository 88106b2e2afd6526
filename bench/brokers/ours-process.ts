/** Our broker in a process of its own, embedded as anybody would, with the orders that the measurements need. */

import { type App, createApp } from '../../src/app/app.js';
import type { ConfigInput } from '../../src/config/schema.js';
import type { GapReason } from '../../src/exchange/gaps.js';
import type { StreamState } from '../../src/streams/disk-policy.js';
import { serve } from '../child.js';
import { exactNow } from '../load/plan.js';

export type OurOrder =
  | { readonly kind: 'start'; readonly config: ConfigInput }
  | { readonly kind: 'counts'; readonly stream: string }
  | { readonly kind: 'health'; readonly stream: string }
  | { readonly kind: 'flush'; readonly stream: string }
  /** Waits until all that an earlier process left in journals is in files. */
  | { readonly kind: 'restored' };

export interface Started {
  readonly port: number;
}

/** Counters of a stream since the start. */
export interface StreamCounts {
  readonly captured: number;
  /** Captured, and overwritten before they were in a file. */
  readonly dropped: number;
  /** Not captured. */
  readonly refused: number;
  readonly written: number;
  /** In files that were deleted to make room. */
  readonly deleted: number;
  readonly files: number;
  /** What was given to the disk. */
  readonly journalBytes: number;
  readonly fileBytes: number;
  readonly mergedBytes: number;
}

/** How a stream is now. */
export interface StreamHealth {
  readonly state: StreamState;
  /** Why what was written last failed. */
  readonly failure: string | null;
  /** How many messages are missing, by reason. */
  readonly missing: Readonly<Partial<Record<GapReason, number>>>;
}

/** Milliseconds since the epoch. */
export interface Flushed {
  readonly started: number;
  readonly ended: number;
}

const EVERYTHING = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

let app: App | null = null;
let flushes = 0;

serve(async (order: OurOrder): Promise<Started | StreamCounts | StreamHealth | Flushed | null> => {
  if (order.kind === 'start') {
    app = await createApp(order.config);
    return { port: app.listeners[0].port };
  }
  if (app === null) throw new Error('not started');
  if (order.kind === 'restored') {
    await app.streams.restored(60_000);
    return null;
  }
  const { stream } = order;
  if (order.kind === 'counts') {
    const { stats } = app.streams.exchange.get(stream);
    return {
      captured: stats.captured,
      dropped: stats.dropped,
      refused: stats.refused + stats.tooLarge,
      written: stats.rowsWritten,
      deleted: stats.deletedRows,
      files: stats.flushes,
      journalBytes: stats.journalBytes,
      fileBytes: stats.bytesWritten,
      mergedBytes: stats.bytesMerged,
    };
  }
  if (order.kind === 'health') {
    const { state, failure } = app.streams.status(stream);
    const missing: Partial<Record<GapReason, number>> = {};
    for (const { messages, reason } of app.streams.exchange.get(stream).gapsWithin(EVERYTHING))
      missing[reason] = (missing[reason] ?? 0) + (messages ?? Number.NaN);
    return { state, failure, missing };
  }
  const started = exactNow();
  const result = await app.request('flush', { id: `bench-${flushes++}`, stream });
  if (!result.ok) throw new Error(result.error?.message);
  return { started, ended: exactNow() };
});

/** Our broker in a process of its own, embedded as anybody would, with the orders that the measurements need. */

import { type App, createApp } from '../../src/app/app.js';
import type { ConfigInput } from '../../src/config/schema.js';
import { serve } from '../child.js';
import { exactNow } from '../load/plan.js';

export type OurOrder =
  | { readonly kind: 'start'; readonly config: ConfigInput }
  | { readonly kind: 'counts'; readonly stream: string }
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
  readonly files: number;
}

/** Milliseconds since the epoch. */
export interface Flushed {
  readonly started: number;
  readonly ended: number;
}

let app: App | null = null;
let flushes = 0;

serve(async (order: OurOrder): Promise<Started | StreamCounts | Flushed | null> => {
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
    const { captured, dropped, refused, tooLarge, rowsWritten, flushes: files } = stats;
    return { captured, dropped, refused: refused + tooLarge, written: rowsWritten, files };
  }
  const started = exactNow();
  const result = await app.request('flush', { id: `bench-${flushes++}`, stream });
  if (!result.ok) throw new Error(result.error?.message);
  return { started, ended: exactNow() };
});

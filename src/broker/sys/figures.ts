import type { Router } from '../delivery/router.js';
import type { Retained } from '../retained.js';
import type { Sessions } from '../sessions.js';
import type { BrokerStats } from '../stats.js';

/** Where the figures of the broker are. */
export interface FigureSources {
  readonly stats: BrokerStats;
  readonly sessions: Sessions;
  readonly router: Router;
  readonly retained: Retained;
  /** Bytes in use on the JavaScript heap. */
  readonly heapBytes: () => number;
}

/** What only a look at every session tells, and what has a maximum: as of one moment. */
export interface Figures extends FigureSources {
  readonly clients: { readonly total: number; readonly connected: number };
  /** Messages kept: retained ones, and those that wait for a client or for its acknowledgement. */
  readonly stored: { readonly messages: number; readonly bytes: number };
  readonly heap: number;
}

export function figuresOf(sources: FigureSources): Figures {
  const { sessions, retained } = sources;
  let connected = 0;
  let messages = retained.count;
  let { bytes } = retained;
  for (const { outbox, backlog, lasting } of sessions.all()) {
    if (outbox !== null) connected++;
    // What waits for the client of a lasting session is in its backlog, too.
    messages += lasting ? backlog.messages : (outbox?.waitingMessages ?? 0);
    bytes += lasting ? backlog.bytes : (outbox?.waitingBytes ?? 0);
  }
  return {
    ...sources,
    clients: { total: sessions.count, connected },
    stored: { messages, bytes },
    heap: sources.heapBytes(),
  };
}

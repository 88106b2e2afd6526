import { counterPart } from '../keys.js';
import { decodeMessage, type StoredMessage } from '../packet-codec.js';
import type { SessionRecord, StoredSubscription } from '../session-codec.js';
import type { StoredSessionSummary } from '../session-table.js';
import type { Instance } from '../store.js';
import type { Commit } from './commit.js';
import type { Arrival, QueueOfSession } from './queue-of-session.js';

export const NOTHING_QUEUED = { messages: 0, bytes: 0 };

/** What goes with a message to the other instances. */
export interface Sent {
  readonly from: string;
  readonly key: number;
  /** Clients that it is queued for. */
  readonly to: readonly string[];
  readonly clientId: string | null;
}

/** A change of a client's session: who made it, then what, whose, and which session it is. */
export type Change = readonly [from: string, ...rest: ChangeOf];
type ChangeOf =
  | readonly ['put', id: string, gen: string, record: Omit<SessionRecord, 'clientId'>]
  | readonly ['end', id: string, gen: string]
  | readonly ['sub', id: string, gen: string, StoredSubscription]
  | readonly ['unsub', id: string, gen: string, filter: string];

export interface HearingParts {
  readonly instance: string;
  readonly commit: Commit;
  readonly sessions: ReadonlyMap<string, QueueOfSession>;
  readonly learn: (stored: StoredSessionSummary, gen: string) => void;
  readonly forget: (clientId: string) => void;
}

/** What this instance hears of the others, in the order in which it happened in Redis. */
export class Hearing {
  readonly #parts: HearingParts;
  /** What waits until a snapshot has been read that may not have it; null: nothing has to. */
  #waiting: [channel: string, bytes: Buffer][] | null = [];
  #here: Instance | null = null;
  #arriving: Arrival | null = null;
  /** The key of our own last retained message, by topic, until it is heard: what is heard before is older. */
  readonly #unheard = new Map<string, number>();

  constructor(parts: HearingParts) {
    this.#parts = parts;
  }

  /** The message that is being given to the sessions here; null: none is. */
  get arriving(): Arrival | null {
    return this.#arriving;
  }

  /** From now on what is heard waits. */
  hold(): void {
    this.#waiting = [];
  }

  /** What waited is of interest now, and what follows. */
  release(here: Instance): void {
    this.#here = here;
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const [channel, bytes] of waiting) this.heard(channel, bytes);
  }

  /** A retained message of our own is on its way to the others. */
  retaining(topic: string, key: number): void {
    this.#unheard.set(topic, key);
  }

  /** Whether a topic's latest message is one of ours that is still on its way. */
  ownIsLatest(topic: string): boolean {
    return this.#unheard.has(topic);
  }

  /** For those of now that may have passed by unheard: call it when they are in Redis. */
  settling(): () => void {
    const now = [...this.#unheard];
    return () => {
      for (const [topic, key] of now) if (this.#unheard.get(topic) === key) this.#unheard.delete(topic);
    };
  }

  heard(channel: string, bytes: Buffer): void {
    if (this.#waiting !== null) this.#waiting.push([channel, bytes]);
    else if (channel === 'messages') this.#message(decodeMessage(bytes) as StoredMessage & Sent);
    else this.#change(JSON.parse(bytes.toString()));
  }

  #message({ from, key, to, clientId, ...message }: StoredMessage & Sent): void {
    const { topic, retain } = message;
    const { instance, commit, sessions } = this.#parts;
    if (from === instance) {
      if (this.#unheard.get(topic) === key) this.#unheard.delete(topic);
      return;
    }
    if (retain && !this.#unheard.has(topic)) this.#here!.retained(message, key, clientId);
    const arrival = { field: counterPart(key) + from, queuedFor: new Set(to) };
    this.#arriving = arrival;
    try {
      this.#here!.arrived(message, key, clientId);
    } finally {
      this.#arriving = null;
    }
    // Whoever has unsubscribed meanwhile, or has too much waiting, does not get it.
    for (const id of arrival.queuedFor) {
      if (sessions.get(id)?.owned) commit.add('remove', id, arrival.field);
    }
  }

  #change(change: Change): void {
    const [from, kind, clientId, gen] = change;
    if (from === this.#parts.instance) return;
    const here = this.#here!;
    const known = this.#parts.sessions.get(clientId);
    const current = known?.gen === gen;
    switch (kind) {
      case 'put':
        this.#parts.learn({ clientId, ...change[4], subscriptions: [], queued: NOTHING_QUEUED }, gen);
        break;
      case 'end':
        if (current) this.#parts.forget(clientId);
        break;
      case 'sub':
        if (current) here.subscribed(clientId, [change[4]]);
        break;
      case 'unsub':
        if (current) here.unsubscribed(clientId, [change[4]]);
        break;
    }
  }
}

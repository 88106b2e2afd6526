import { counterPart, identifierPart, KIND, ofSession } from './keys.js';
import type { Assignment, Counts, SessionRecord, StoredSubscription } from './session-codec.js';

/** A queued message that has a packet identifier. */
export interface Inflight extends Assignment {
  readonly counter: number;
  bytes: number;
  released: boolean;
  /** Until it is sure that the message is there; else null. */
  confirmed: Promise<void> | null;
}

/** What is known of a session without reading: all but its messages. */
export class StoredSession {
  readonly number: number;
  record: SessionRecord;
  readonly subscriptions = new Map<string, StoredSubscription>();
  /** By counter, and by packet identifier. */
  readonly inflight = new Map<number, Inflight>();
  readonly identified = new Map<number, Inflight>();
  /** By counter: messages that may be in the queue already, until that is known; to their bytes. */
  readonly placing = new Map<number, Promise<number>>();
  /** Packet identifiers of QoS 2 messages received and not released. */
  readonly received = new Set<number>();
  counts: { -readonly [Field in keyof Counts]: number } = { messages: 0, bytes: 0, last: -1 };
  ended = false;
  /** Messages removed while somebody reads the queue: what was read is not there any more. */
  readonly removed = new Set<number>();
  readonly #queued: string;
  readonly #inflight: string;
  #readers = 0;

  constructor(number: number, record: SessionRecord) {
    this.number = number;
    this.record = record;
    this.#queued = ofSession(KIND.queued, number);
    this.#inflight = ofSession(KIND.inflight, number);
  }

  get clientId(): string {
    return this.record.clientId;
  }

  queuedKey(counter: number): string {
    return this.#queued + counterPart(counter);
  }

  inflightKey(counter: number): string {
    return this.#inflight + counterPart(counter);
  }

  receivedKey(messageId: number): string {
    return ofSession(KIND.received, this.number) + identifierPart(messageId);
  }

  subscriptionKey(filter: string): string {
    return ofSession(KIND.subscription, this.number) + filter;
  }

  assign(inflight: Inflight): void {
    this.inflight.set(inflight.counter, inflight);
    this.identified.set(inflight.messageId, inflight);
  }

  unassign(inflight: Inflight): void {
    if (this.inflight.get(inflight.counter) === inflight) this.inflight.delete(inflight.counter);
    if (this.identified.get(inflight.messageId) === inflight) this.identified.delete(inflight.messageId);
  }

  /** Runs what reads the queue; meanwhile `removed` holds what has gone from it. */
  async reading<T>(read: () => Promise<T>): Promise<T> {
    this.#readers++;
    try {
      return await read();
    } finally {
      if (--this.#readers === 0) this.removed.clear();
    }
  }

  noteRemoved(counter: number): void {
    if (this.#readers > 0) this.removed.add(counter);
  }
}

/** aedes knows it by this text. */
export function noSuchPacket(): Error {
  return new Error('no such packet');
}

import { KIND, ofSession } from './keys.js';
import { loadSessions } from './loading.js';
import type { Rows } from './rows.js';
import { encodeCounts, encodeSession, type SessionRecord, type StoredSubscription } from './session-codec.js';
import { StoredSession } from './stored-session.js';

/** Removed at once of an ended session's messages. */
const SWEEP_STEP = 1000;

/** A session as it is found at the start. */
export interface StoredSessionSummary extends SessionRecord {
  readonly subscriptions: readonly StoredSubscription[];
  /** Bytes of payload. */
  readonly queued: { readonly messages: number; readonly bytes: number };
}

/** All sessions by client id. What ends is gone at once; its messages are removed behind. */
export class SessionTable {
  readonly #rows: Rows;
  readonly #onFault: (error: Error) => void;
  readonly #sessions = new Map<string, StoredSession>();
  /** Their counts are not those of their rows. */
  readonly #counted = new Set<StoredSession>();
  #nextNumber = 0;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(rows: Rows, onFault: (error: Error) => void) {
    this.#rows = rows;
    this.#onFault = onFault;
    rows.onWrite = () => this.#writeCounts();
  }

  /** Reads what is known of sessions without their messages. Rejects with STORE_UNUSABLE. */
  async load(): Promise<void> {
    const { sessions, ended } = await loadSessions(this.#rows);
    for (const session of sessions) this.#sessions.set(session.clientId, session);
    for (const number of ended) this.#sweep(number);
    const numbers = [...sessions.map(({ number }) => number), ...ended];
    this.#nextNumber = numbers.reduce((most, number) => Math.max(most, number), -1) + 1;
  }

  get(clientId: string): StoredSession | undefined {
    return this.#sessions.get(clientId);
  }

  all(): IterableIterator<StoredSession> {
    return this.#sessions.values();
  }

  /** The client's session; one that never expires if there is none yet. */
  of(clientId: string): StoredSession {
    return (
      this.#sessions.get(clientId) ??
      this.put({ clientId, user: null, expiryInterval: 0xffff_ffff, disconnectedAt: null })
    );
  }

  put({ clientId, user, expiryInterval, disconnectedAt }: SessionRecord): StoredSession {
    const record = { clientId, user, expiryInterval, disconnectedAt };
    let session = this.#sessions.get(clientId);
    if (session === undefined) {
      session = new StoredSession(this.#nextNumber++, record);
      this.#sessions.set(clientId, session);
    }
    session.record = record;
    this.#rows.put(ofSession(KIND.session, session.number), encodeSession(record));
    return session;
  }

  count(session: StoredSession, messages: number, bytes: number, last = session.counts.last): void {
    const { counts } = session;
    counts.messages += messages;
    counts.bytes += bytes;
    counts.last = last;
    this.#counted.add(session);
  }

  end(clientId: string): void {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    const { number } = session;
    session.ended = true;
    this.#sessions.delete(clientId);
    this.#counted.delete(session);
    this.#rows.delete(ofSession(KIND.session, number));
    this.#rows.delete(ofSession(KIND.counts, number));
    for (const filter of session.subscriptions.keys()) this.#rows.delete(session.subscriptionKey(filter));
    for (const counter of session.inflight.keys()) this.#rows.delete(session.inflightKey(counter));
    for (const messageId of session.received) this.#rows.delete(session.receivedKey(messageId));
    // Who waits for something of it finds nothing.
    session.inflight.clear();
    session.identified.clear();
    if (session.counts.messages === 0) return;
    this.#rows.put(ofSession(KIND.ended, number), Buffer.alloc(0));
    this.#sweep(number);
  }

  async *summaries(): AsyncGenerator<StoredSessionSummary> {
    for (const { record, subscriptions, counts } of this.#sessions.values()) {
      const { messages, bytes } = counts;
      yield { ...record, subscriptions: [...subscriptions.values()], queued: { messages, bytes } };
    }
  }

  /** What is left to remove is removed after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#sweeping;
  }

  /** Counts stand in the same batch as what changed them. */
  #writeCounts(): void {
    for (const session of this.#counted) {
      this.#rows.put(ofSession(KIND.counts, session.number), encodeCounts(session.counts));
    }
    this.#counted.clear();
  }

  #sweep(number: number): void {
    this.#sweeping = this.#sweeping
      .then(() => this.#removeMessages(number))
      .catch((error) => {
        // What could not be written is reported with its batch. What is left goes after the next start.
        if (error.code !== 'STORE_WRITE_FAILED') this.#onFault(error);
      });
  }

  async #removeMessages(number: number): Promise<void> {
    let step = 0;
    for await (const [key] of this.#rows.range(ofSession(KIND.queued, number))) {
      if (this.#closed) return;
      this.#rows.delete(key);
      if (++step % SWEEP_STEP === 0) await this.#rows.written();
    }
    if (this.#closed) return;
    this.#rows.delete(ofSession(KIND.ended, number));
    await this.#rows.written();
  }
}

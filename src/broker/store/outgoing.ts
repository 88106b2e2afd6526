import type { PublishPacket } from '../aedes-internals.js';
import { KIND, ofSession, valueIn } from './keys.js';
import { decodeMessage, encodeMessage, payloadBytes, type StoredMessage } from './packet-codec.js';
import type { Rows } from './rows.js';
import { encodeAssignment } from './session-codec.js';
import type { SessionTable } from './session-table.js';
import { type Inflight, noSuchPacket, type StoredSession } from './stored-session.js';

/** A message that waits for a client, or for its acknowledgement if it has a packet identifier. */
export type QueuedMessage = PublishPacket & { brokerCounter: number };

/** Who a message is queued for; with the packet identifier if it is being sent already. */
export interface Receiver {
  readonly clientId: string;
  readonly messageId?: number;
}

/** Release of a QoS 2 message that the client has. */
export interface Pubrel {
  cmd: 'pubrel';
  messageId: number;
}

/**
 * A message by its key, which gets a packet identifier; or the release of the one with an identifier. `bytes`, of its
 * payload: whoever knows them knows that the message is in the queue, and it is not looked up.
 */
export type OutgoingUpdate =
  | { cmd?: 'publish'; brokerCounter: number; messageId: number; bytes?: number }
  | Pubrel;

/**
 * Queues of messages, by key. A queue holds a key once: a message that is put again replaces the first. Packet
 * identifiers stand in rows of their own, so that a message is written once.
 */
export class OutgoingQueues {
  readonly #rows: Rows;
  readonly #sessions: SessionTable;
  readonly #brokerId: () => string;
  /** What needs a whole queue to itself, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(rows: Rows, sessions: SessionTable, brokerId: () => string) {
    this.#rows = rows;
    this.#sessions = sessions;
    this.#brokerId = brokerId;
  }

  enqueue(subs: readonly Receiver[], packet: PublishPacket): Promise<void> {
    const { brokerCounter: counter = 0, clientId: publisher } = packet;
    const value = encodeMessage(packet, publisher === undefined ? null : { clientId: publisher });
    const bytes = payloadBytes(value);
    let placed: Promise<number>[] | null = null;
    for (let i = 0; i < subs.length; i++) {
      const { clientId, messageId } = subs[i]!;
      const session = this.#sessions.of(clientId);
      if (counter <= session.counts.last) {
        placed ??= [];
        placed.push(this.#place(session, counter, messageId, value, bytes));
        continue;
      }
      this.#rows.insert(session.queuedKey(counter), value);
      this.#sessions.count(session, 1, bytes, counter);
      if (messageId === undefined) continue;
      const inflight = { counter, messageId, bytes, released: false, confirmed: null };
      session.assign(inflight);
      this.#rows.insert(session.inflightKey(counter), encodeAssignment(inflight));
    }
    return placed === null ? this.#rows.written() : Promise.all(placed).then(() => this.#rows.written());
  }

  /** A retained message, whose key is an old one: it may be in the queue already. Resolves to its bytes. */
  #place(
    session: StoredSession,
    counter: number,
    messageId: number | undefined,
    value: Buffer,
    bytes: number,
  ): Promise<number> {
    const put = (before: Buffer | undefined): number => {
      if (session.ended) return bytes;
      this.#rows.put(session.queuedKey(counter), value);
      if (before === undefined) this.#sessions.count(session, 1, bytes);
      else this.#sessions.count(session, 0, bytes - this.#rows.decode(before, payloadBytes));
      return bytes;
    };
    const placed = this.#inTurn(() => this.#read(session, counter, put)).finally(() => {
      if (session.placing.get(counter) === placed) session.placing.delete(counter);
    });
    session.placing.set(counter, placed);
    const known = session.inflight.get(counter);
    const identifier = messageId ?? (known?.released ? undefined : known?.messageId);
    if (identifier !== undefined) this.#assign(session, counter, identifier, placed);
    return placed;
  }

  /** Rejects if there is no such message. */
  async update(clientId: string, packet: OutgoingUpdate): Promise<void> {
    const session = this.#sessions.get(clientId);
    if (session === undefined) throw noSuchPacket();
    if (packet.cmd === 'pubrel') return this.#release(session, packet.messageId);
    const { brokerCounter: counter, messageId } = packet;
    const known = session.inflight.get(counter);
    if (known === undefined) {
      const bytes = session.placing.get(counter) ?? packet.bytes ?? this.#find(session, counter);
      const { confirmed } = this.#assign(session, counter, messageId, bytes);
      if (confirmed !== null) await confirmed;
      return this.#rows.written();
    }
    if (known.confirmed !== null) await known.confirmed;
    if (session.inflight.get(counter) !== known || known.released) throw noSuchPacket();
    if (known.messageId !== messageId) this.#assign(session, counter, messageId, known.bytes);
    return this.#rows.written();
  }

  /** The client has a QoS 2 message: its bytes are not needed any more. */
  async #release(session: StoredSession, messageId: number): Promise<void> {
    const inflight = session.identified.get(messageId);
    // Without a turn between: whoever waits for all that was put counts on it.
    if (inflight?.confirmed) await inflight.confirmed;
    if (inflight === undefined || session.identified.get(messageId) !== inflight) throw noSuchPacket();
    if (!inflight.released) {
      inflight.released = true;
      this.#removeMessage(session, inflight.counter, inflight.bytes);
      this.#rows.put(session.inflightKey(inflight.counter), encodeAssignment(inflight));
    }
    return this.#rows.written();
  }

  /** The message or release with an identifier is done with. */
  acknowledge(clientId: string, messageId: number): Promise<void> {
    const session = this.#sessions.get(clientId);
    const inflight = session?.identified.get(messageId);
    if (session === undefined || inflight === undefined) return this.#rows.written();
    if (inflight.confirmed !== null) {
      // What is not in the queue needs no acknowledgement; whoever gave it the identifier has been told.
      const again = () => this.acknowledge(clientId, messageId);
      return inflight.confirmed.then(again, again);
    }
    if (!inflight.released) this.#removeMessage(session, inflight.counter, inflight.bytes);
    this.#forget(session, inflight);
    return this.#rows.written();
  }

  /** A message that has no identifier goes elsewhere. `bytes`: of its payload. */
  remove(clientId: string, counter: number, bytes: number): Promise<void> {
    const session = this.#sessions.get(clientId);
    if (session !== undefined) this.#removeMessage(session, counter, bytes);
    return this.#rows.written();
  }

  /** As `acknowledge`; resolves to what it was. */
  async clear(clientId: string, messageId: number): Promise<QueuedMessage | Pubrel | undefined> {
    const session = this.#sessions.get(clientId);
    const inflight = session?.identified.get(messageId);
    if (session === undefined || inflight === undefined) return undefined;
    const { counter, released } = inflight;
    const value = released ? undefined : await this.#read(session, counter, (found) => found);
    if (session.identified.get(messageId) === inflight) await this.acknowledge(clientId, messageId);
    if (released) return { cmd: 'pubrel', messageId };
    return value && this.#message(counter, messageId, value);
  }

  /** By key. Messages have the identifiers that they had when the first was asked for. */
  async *stream(clientId: string): AsyncGenerator<QueuedMessage | Pubrel> {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    const identifiers = new Map<number, number>();
    const released: { counter: number; messageId: number }[] = [];
    for (const { counter, messageId, ...inflight } of session.inflight.values()) {
      if (inflight.released) released.push({ counter, messageId });
      else identifiers.set(counter, messageId);
    }
    released.sort((a, b) => a.counter - b.counter);
    let next = 0;
    for await (const [key, value] of this.#rows.range(ofSession(KIND.queued, session.number))) {
      const counter = valueIn(key);
      for (; next < released.length && released[next]!.counter < counter; next++) {
        yield { cmd: 'pubrel', messageId: released[next]!.messageId };
      }
      yield this.#message(counter, identifiers.get(counter), value);
    }
    for (; next < released.length; next++) yield { cmd: 'pubrel', messageId: released[next]!.messageId };
  }

  /** Removes the oldest messages until no more than these are queued; resolves to how many. */
  trim(clientId: string, toMessages: number, toBytes: number): Promise<number> {
    return this.#inTurn(async () => {
      const session = this.#sessions.get(clientId);
      if (session === undefined) return 0;
      const fits = () => session.counts.messages <= toMessages && session.counts.bytes <= toBytes;
      let removed = 0;
      await session.reading(async () => {
        if (fits()) return;
        for await (const [key, value] of this.#rows.range(ofSession(KIND.queued, session.number))) {
          if (session.ended || fits()) return;
          const counter = valueIn(key);
          if (session.removed.has(counter)) continue;
          this.#removeMessage(session, counter, this.#rows.decode(value, payloadBytes));
          const inflight = session.inflight.get(counter);
          if (inflight !== undefined) this.#forget(session, inflight);
          removed++;
        }
      });
      await this.#rows.written();
      return removed;
    });
  }

  /** The identifier holds at once, even if it is not sure yet that the message is there: it may be acknowledged before. */
  #assign(
    session: StoredSession,
    counter: number,
    messageId: number,
    bytes: number | Promise<number>,
  ): Inflight {
    const inflight: Inflight = { counter, messageId, bytes: 0, released: false, confirmed: null };
    const before = session.inflight.get(counter);
    if (before !== undefined) session.unassign(before);
    session.assign(inflight);
    if (typeof bytes === 'number') this.#confirm(session, inflight, bytes);
    else {
      inflight.confirmed = bytes.then(
        (found) => this.#confirm(session, inflight, found),
        (error) => {
          session.unassign(inflight);
          throw error;
        },
      );
      // Whoever put or updated the message is told.
      inflight.confirmed.catch(() => {});
    }
    return inflight;
  }

  #confirm(session: StoredSession, inflight: Inflight, bytes: number): void {
    inflight.bytes = bytes;
    inflight.confirmed = null;
    if (session.inflight.get(inflight.counter) !== inflight) return;
    this.#rows.put(session.inflightKey(inflight.counter), encodeAssignment(inflight));
  }

  #find(session: StoredSession, counter: number): Promise<number> {
    return this.#read(session, counter, (value) => {
      if (value === undefined) throw noSuchPacket();
      return this.#rows.decode(value, payloadBytes);
    });
  }

  #removeMessage(session: StoredSession, counter: number, bytes: number): void {
    this.#rows.delete(session.queuedKey(counter));
    this.#sessions.count(session, -1, -bytes);
    session.noteRemoved(counter);
  }

  #forget(session: StoredSession, inflight: Inflight): void {
    this.#rows.delete(session.inflightKey(inflight.counter));
    session.unassign(inflight);
  }

  #message(counter: number, messageId: number | undefined, value: Buffer): QueuedMessage {
    return {
      cmd: 'publish',
      brokerId: this.#brokerId(),
      brokerCounter: counter,
      ...(this.#rows.decode(value, decodeMessage) as StoredMessage & { payload: Buffer; clientId?: string }),
      dup: false,
      messageId,
    };
  }

  /** A queued message while it is there: `use` is called when nothing can come between. */
  #read<T>(session: StoredSession, counter: number, use: (value: Buffer | undefined) => T): Promise<T> {
    return session.reading(async () => {
      const value = await this.#rows.get(session.queuedKey(counter));
      return use(session.ended || session.removed.has(counter) ? undefined : value);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

import { isOwnTopic } from '../../../topics.js';
import type { Message } from '../../delivery/message.js';
import type { TopicTable } from '../../delivery/topic-table.js';
import type { KeptSession } from '../../session.js';
import { encodeMessage, type StoredMessage } from '../packet-codec.js';
import { encodeSubscription, type SessionRecord, type StoredSubscription } from '../session-codec.js';
import type { StoredSessionSummary } from '../session-table.js';
import type { Instance, Others, Store, StoredWill } from '../store.js';
import type { Commit } from './commit.js';
import type { Change, Sent } from './hearing.js';
import { Link } from './link.js';
import { type MembershipTimes, TIMES } from './membership.js';
import { Presence } from './presence.js';
import { QueueOfSession } from './queue-of-session.js';

export interface RedisStoreOptions {
  readonly url: string;
  /** What the names of everything in Redis begin with. */
  readonly prefix: string;
  /** The name of this process among the others; another one after a restart. */
  readonly instance: string;
  readonly limits: { readonly clientQueueMessages: number; readonly clientQueueBytes: number };
  /** Redis cannot be reached any more, once, or something that it said cannot be. */
  readonly onFault: (error: Error) => void;
  /** Redis is there again, and everything is in it. */
  readonly onRestored: () => void;
  readonly times?: MembershipTimes;
}

type RetainedMessage = StoredMessage & { clientId?: string; brokerCounter?: number };

/** How long the end waits for Redis, ms. */
const LAST_WORDS_MS = 2000;

/**
 * Sessions, retained messages and wills in Redis, which several instances share. Every instance knows all sessions that
 * last and their subscriptions, and keeps messages for them; one of them has the client, or had it last.
 */
export class RedisStore implements Store, Others {
  readonly #options: RedisStoreOptions;
  readonly #link: Link;
  readonly #sessions = new Map<string, QueueOfSession>();
  readonly #presence: Presence;
  #sessionsMade = 0;
  /** The latest of each topic with QoS 0, while Redis is away. */
  readonly #unsent = new Map<string, RetainedMessage>();
  /** Who the message with this key was queued for here. */
  #queued: { key: number; for: string[] } = { key: 0, for: [] };

  private constructor(options: RedisStoreOptions, link: Link) {
    this.#options = options;
    this.#link = link;
    this.#presence = new Presence({
      times: TIMES,
      ...options,
      link,
      sessions: this.#sessions,
      catchUp: () => this.#sendUnsent(),
    });
  }

  /** Rejects with STORE_UNREACHABLE. */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    let store: RedisStore | null = null;
    const { alive: patience } = options.times ?? TIMES;
    const link = await Link.open({
      ...options,
      patience,
      heard: (channel, bytes) => store!.#presence.heard(channel, bytes),
      lost: (error) => store!.#presence.lost(error),
      restored: () => void store!.#presence.rejoin(),
    });
    store = new RedisStore(options, link);
    return store;
  }

  get others(): Others {
    return this;
  }

  get #commit(): Commit {
    return this.#presence.commit;
  }

  async setup(): Promise<void> {}

  join(here: Instance): Promise<void> {
    return this.#presence.join(here);
  }

  async claim(clientId: string, wanted: () => boolean): Promise<readonly number[] | null> {
    // What was said of the client before is true before.
    if (this.#presence.live) await this.#commit.written();
    if (!this.#presence.live) throw this.#link.unreachable('the connection is lost');
    return this.#presence.membership.claim(clientId, wanted);
  }

  left(clientId: string): void {
    this.#sessions.delete(clientId);
    this.#presence.membership.left(clientId);
  }

  send({ topic, payload, qos, retain, properties, expiry, key, clientId, known }: Message): void {
    const to = this.#queued.key === key ? this.#queued.for : [];
    // Of our own traffic only what waits for somebody elsewhere; and what may be lost does not wait for Redis.
    if ((known.own && to.length === 0) || (qos === 0 && !this.#presence.live)) return;
    const packet: StoredMessage = {
      topic,
      payload,
      qos,
      retain,
      ...(properties === undefined ? {} : { properties }),
      ...(expiry === undefined ? {} : { messageExpiry: expiry }),
    };
    this.#announce(packet, { from: this.#options.instance, key, to, clientId });
  }

  partOf(clientId: string, topics: TopicTable): KeptSession {
    const { instance, limits } = this.#options;
    const session = new QueueOfSession(clientId, `${instance}:${this.#sessionsMade++}`, {
      instance,
      limits,
      topics,
      commit: this.#commit,
      arriving: () => this.#presence.hearing.arriving,
      queued: (key, receiver) => {
        if (this.#queued.key !== key) this.#queued = { key, for: [] };
        this.#queued.for.push(receiver);
      },
      read: (of) => this.#presence.membership.read(of),
    });
    this.#sessions.set(clientId, session);
    return session;
  }

  putSession({ clientId, ...record }: SessionRecord): Promise<void> {
    const session = this.#sessions.get(clientId)!;
    const { gen } = session;
    session.stored = true;
    this.#commit.add('put', clientId, gen, JSON.stringify(record), this.#news('put', clientId, gen, record));
    return this.#commit.written();
  }

  endSession(clientId: string): Promise<void> {
    const { gen } = this.#sessions.get(clientId)!;
    this.#sessions.delete(clientId);
    this.#commit.add('end', clientId, gen, this.#news('end', clientId, gen));
    return this.#commit.written();
  }

  /** What all have in common `join` brings. */
  async *sessions(): AsyncGenerator<StoredSessionSummary> {}

  addSubscriptions({ id }: { id: string }, subscriptions: readonly StoredSubscription[]): Promise<void> {
    const session = this.#sessions.get(id)!;
    const { gen } = session;
    session.subscribed();
    for (const one of subscriptions) {
      const options = encodeSubscription(one);
      this.#commit.add('sub', id, gen, one.topic, options, this.#news('sub', id, gen, one));
    }
    return this.#commit.written();
  }

  removeSubscriptions({ id }: { id: string }, filters: readonly string[]): Promise<void> {
    const { gen } = this.#sessions.get(id)!;
    for (const filter of filters) {
      this.#commit.add('unsub', id, gen, filter, this.#news('unsub', id, gen, filter));
    }
    return this.#commit.written();
  }

  putWill({ id }: { id: string }, will: StoredWill): Promise<void> {
    const { user, delay } = will;
    this.#commit.add('will', id, encodeMessage(will, { user, delay, clientId: id }));
    return this.#commit.written();
  }

  /** Those of clients whose instance is gone come one by one, to one of the others. */
  async *streamWill(): AsyncGenerator<StoredWill> {}

  delWill({ id }: { id: string }): Promise<void> {
    this.#commit.add('unwill', id);
    return this.#commit.written();
  }

  storeRetained(packet: RetainedMessage): Promise<void> {
    const { topic, qos, brokerCounter: key = 0 } = packet;
    // Those of the broker's own traffic are of this process.
    if (isOwnTopic(topic)) return Promise.resolve();
    this.#presence.hearing.retaining(topic, key);
    this.#unsent.delete(topic);
    if (qos === 0 && !this.#presence.live) this.#unsent.set(topic, packet);
    else this.#retain(packet);
    return this.#commit.written();
  }

  async *retained(): AsyncGenerator<StoredMessage> {}

  get unwritten(): Promise<void> | null {
    return this.#commit.unwritten;
  }

  async destroy(): Promise<void> {
    this.#presence.leave();
    try {
      const late = Symbol('late');
      const patience = new Promise<symbol>((resolve) => {
        setTimeout(() => resolve(late), this.#link.up ? LAST_WORDS_MS : 0).unref();
      });
      if ((await Promise.race([this.#commit.written(), patience])) === late) {
        throw this.#link.unreachable('it did not answer in time');
      }
      // The others need not wait until it is noticed.
      await this.#link.ask('del', `alive:${this.#options.instance}`);
    } finally {
      this.#link.close();
    }
  }

  #announce(message: StoredMessage, sent: Sent): void {
    this.#commit.add('message', encodeMessage(message, sent));
  }

  #retain(message: RetainedMessage): void {
    const { topic, payload, clientId, brokerCounter } = message;
    const value = payload.length === 0 ? '' : encodeMessage(message, { clientId, brokerCounter });
    this.#commit.add('retain', topic, value);
  }

  /** What was retained meanwhile and did not wait for Redis. */
  #sendUnsent(): void {
    for (const message of this.#unsent.values()) {
      const { clientId = null, brokerCounter: key = 0 } = message;
      this.#retain(message);
      this.#announce(message, { from: this.#options.instance, key, to: [], clientId });
    }
    this.#unsent.clear();
  }

  #news(...change: Rest<Change>): string {
    return JSON.stringify([this.#options.instance, ...change]);
  }
}

/** Of a tuple all but the first. */
type Rest<T> = T extends readonly [unknown, ...infer R] ? R : never;

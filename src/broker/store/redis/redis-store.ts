import { isOwnTopic } from '../../../topics.js';
import type { Message } from '../../delivery/message.js';
import type { TopicTable } from '../../delivery/topic-table.js';
import type { KeptSession } from '../../session.js';
import { decodeMessage, encodeMessage, type StoredMessage } from '../packet-codec.js';
import { encodeSubscription, type SessionRecord, type StoredSubscription } from '../session-codec.js';
import type { StoredSessionSummary } from '../session-table.js';
import type { Instance, Others, Store, StoredWill } from '../store.js';
import { Commit } from './commit.js';
import { type Change, Hearing, type Sent } from './hearing.js';
import { Link } from './link.js';
import { Membership, type MembershipTimes, TIMES } from './membership.js';
import { pairs, QueueOfSession } from './queue-of-session.js';
import { readSessions } from './snapshot.js';

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

/** How long the end waits for Redis, and for how long a failure is not tried again, ms. */
const LAST_WORDS_MS = 2000;
const AGAIN_MS = 1000;

/**
 * Sessions, retained messages and wills in Redis, which several instances share. Every instance knows all sessions that
 * last and their subscriptions, and keeps messages for them; one of them has the client, or had it last.
 */
export class RedisStore implements Store, Others {
  readonly #options: RedisStoreOptions;
  readonly #link: Link;
  readonly #commit = new Commit((number, args) => this.#write(number, args));
  readonly #sessions = new Map<string, QueueOfSession>();
  readonly #hearing: Hearing;
  readonly #membership: Membership;
  #here: Instance | null = null;
  /** Heard of all others, and heard by them. */
  #live = false;
  /** Reported, and not over yet. */
  #faulty = false;
  /** Counts what `enter` found: while it looks the connection may be lost, and be there again. */
  #visit = 0;
  #sessionsMade = 0;
  /** The latest of each topic with QoS 0, while Redis is away. */
  readonly #unsent = new Map<string, RetainedMessage>();
  /** Who the message with this key was queued for here. */
  #queued: { key: number; for: string[] } = { key: 0, for: [] };

  private constructor(options: RedisStoreOptions, link: Link) {
    this.#options = options;
    this.#link = link;
    const parts = { instance: options.instance, link, commit: this.#commit, sessions: this.#sessions };
    this.#hearing = new Hearing({
      ...parts,
      learn: (stored, gen) => this.#learn(stored, gen),
      forget: (clientId) => this.#forget(clientId),
    });
    this.#membership = new Membership({
      ...parts,
      times: options.times ?? TIMES,
      onFault: (error) => this.#fault(error),
    });
  }

  /** Rejects with STORE_UNREACHABLE. */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    let store: RedisStore | null = null;
    const link = await Link.open({
      ...options,
      heard: (channel, bytes) => store!.#heard(channel, bytes),
      lost: (error) => store!.#lost(error),
      restored: () => void store!.#rejoin(),
    });
    store = new RedisStore(options, link);
    return store;
  }

  get others(): Others {
    return this;
  }

  async setup(): Promise<void> {}

  async join(here: Instance): Promise<void> {
    this.#here = here;
    try {
      await this.#enter(here);
    } catch (error) {
      throw this.#link.unreachable(error);
    }
    this.#membership.begin(here);
  }

  claim(clientId: string, wanted: () => boolean): Promise<readonly number[] | null> {
    if (!this.#live) return Promise.reject(this.#link.unreachable('the connection is lost'));
    return this.#membership.claim(clientId, wanted);
  }

  left(clientId: string): void {
    this.#sessions.delete(clientId);
    this.#commit.add('left', clientId);
  }

  send({ topic, payload, qos, retain, properties, expiry, key, clientId, known }: Message): void {
    const to = this.#queued.key === key ? this.#queued.for : [];
    // Of our own traffic only what waits for somebody elsewhere; and what may be lost does not wait for Redis.
    if ((known.own && to.length === 0) || (qos === 0 && !this.#live)) return;
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
      arriving: () => this.#hearing.arriving,
      queued: (key, receiver) => {
        if (this.#queued.key !== key) this.#queued = { key, for: [] };
        this.#queued.for.push(receiver);
      },
      read: (of) => this.#membership.read(of),
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
    this.#hearing.retaining(topic, key);
    this.#unsent.delete(topic);
    if (qos === 0 && !this.#live) this.#unsent.set(topic, packet);
    else this.#retain(packet);
    return this.#commit.written();
  }

  async *retained(): AsyncGenerator<StoredMessage> {}

  get unwritten(): Promise<void> | null {
    return this.#commit.unwritten;
  }

  async destroy(): Promise<void> {
    this.#membership.end();
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
      this.#live = false;
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

  #heard(channel: string, bytes: Buffer): void {
    try {
      if (channel.startsWith('to:')) this.#membership.heard(bytes);
      else this.#hearing.heard(channel, bytes);
    } catch (error) {
      this.#options.onFault(this.#link.unreachable(error));
    }
  }

  /** `anew`: what was missed of it may be anything. */
  #learn(stored: StoredSessionSummary, gen: string, anew = false): void {
    const { clientId } = stored;
    const here = this.#here!;
    if (!anew && this.#sessions.get(clientId)?.gen === gen) {
      here.changed(stored);
      return;
    }
    here.forget(clientId);
    here.learn(stored);
    this.#sessions.get(clientId)!.known(gen);
  }

  #forget(clientId: string): void {
    this.#here!.forget(clientId);
    this.#sessions.delete(clientId);
  }

  /** Finds out how things are, then listens to how they change. */
  async #enter(here: Instance): Promise<void> {
    const { instance } = this.#options;
    const visit = ++this.#visit;
    this.#hearing.hold();
    await this.#link.listen(['messages', 'changes', `to:${instance}`]);
    await this.#membership.join();
    this.#sendUnsent();
    const settled = this.#hearing.settling();
    this.#commit.resume();
    await this.#commit.written();
    if (visit !== this.#visit) throw new Error('the connection was lost again');
    settled();
    const found = new Set<string>();
    for await (const { own, gen, ...stored } of readSessions(this.#link)) {
      const { clientId } = stored;
      found.add(clientId);
      const known = this.#sessions.get(clientId);
      if (known?.gen === gen && known.owned && own === instance) continue;
      if (known?.owned) here.release(clientId);
      this.#learn(stored, gen, true);
    }
    for (const [clientId, { stored }] of this.#sessions) {
      if (stored && !found.has(clientId)) this.#forget(clientId);
    }
    await here.retainedAnew(this.#retained(), (topic) => this.#hearing.ownIsLatest(topic));
    this.#hearing.release(here);
    this.#live = true;
  }

  async *#retained(): AsyncGenerator<StoredMessage> {
    for (const [, value] of pairs(await this.#link.run('retained', []))) yield decodeMessage(value);
  }

  #lost(error: Error): void {
    this.#live = false;
    this.#visit++;
    this.#hearing.hold();
    this.#commit.pause();
    this.#membership.lost(error);
    this.#fault(error);
  }

  async #rejoin(): Promise<void> {
    const here = this.#here;
    if (here === null) return;
    try {
      const clients = [...here.clients()];
      // What was published for them elsewhere is in their queues: they come back and get it.
      here.interrupted(clients.filter((clientId) => this.#sessions.get(clientId)?.stored));
      await this.#enter(here);
      here.interrupted(await this.#takenMeanwhile([...here.clients()]));
      this.#restored();
    } catch (error) {
      if (!this.#link.up) return;
      this.#fault(this.#link.unreachable(error));
      this.#again(() => void this.#rejoin());
    }
  }

  /** Those of our clients that have come to another instance; who is nobody's is ours. */
  async #takenMeanwhile(clientIds: readonly string[]): Promise<string[]> {
    const taken: string[] = [];
    for (const clientId of clientIds) {
      const own = (await this.#link.ask('hget', `s:${clientId}`, 'own')) as Buffer | null;
      if (own === null) await this.#membership.claim(clientId, () => true);
      else if (own.toString() !== this.#options.instance) taken.push(clientId);
    }
    return taken;
  }

  /** False: it is to be sent again. */
  async #write(number: number, args: readonly (string | number | Buffer)[]): Promise<boolean> {
    try {
      const dropped = (await this.#link.run('commit', [this.#options.instance, number, ...args])) as number;
      if (dropped > 0) this.#here?.dropped(dropped);
      if (dropped >= 0) {
        if (this.#live) this.#restored();
        return true;
      }
      // The others have given us up, and have our clients' sessions.
      this.#link.reconnect();
    } catch (error) {
      if (this.#link.up) {
        this.#fault(this.#link.unreachable(error));
        this.#again(() => this.#commit.resume());
      }
    }
    return false;
  }

  #again(call: () => void): void {
    setTimeout(() => {
      if (this.#link.up) call();
    }, AGAIN_MS).unref();
  }

  #restored(): void {
    if (!this.#faulty) return;
    this.#faulty = false;
    this.#options.onRestored();
  }

  #fault(error: unknown): void {
    if (this.#faulty) return;
    this.#faulty = true;
    this.#options.onFault(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Of a tuple all but the first. */
type Rest<T> = T extends readonly [unknown, ...infer R] ? R : never;

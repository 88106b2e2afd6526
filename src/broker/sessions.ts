import type { Access, Identity } from './access/access.js';
import { Deadline } from './deadline.js';
import type { BacklogLimits, Delivery } from './delivery/backlog.js';
import type { Router } from './delivery/router.js';
import type { Subscription } from './delivery/subscription.js';
import { type KeptSession, NEVER, Session } from './session.js';
import type { BrokerStats } from './stats.js';
import type { StoredSubscription } from './store/session-codec.js';
import type { StoredSessionSummary } from './store/session-table.js';
import type { Others, SessionStore } from './store/store.js';
import { unawaited } from './store/unawaited.js';
import type { Wills } from './wills.js';

export interface SessionLimits extends BacklogLimits {
  readonly sessions: number;
}

export interface SessionsParts {
  readonly router: Router;
  readonly access: Access;
  readonly limits: SessionLimits;
  readonly stats: BrokerStats;
  readonly wills: Wills;
  readonly store: SessionStore;
  readonly partOf: (clientId: string) => KeptSession;
  /** A key that is lower than all that are given later. */
  readonly newKey: () => number;
  /** Wall time, ms. */
  readonly now: () => number;
}

/** All sessions by client id. Those that last are in the store, too. */
export class Sessions {
  readonly #parts: SessionsParts;
  readonly #sessions = new Map<string, Session>();
  /** Of those whose client is away. */
  readonly #expiries = new Map<Session, Deadline>();

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#sessions.size;
  }

  all(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  get(clientId: string): Session | undefined {
    return this.#sessions.get(clientId);
  }

  /** Takes over what the store has kept. */
  async load(): Promise<void> {
    for await (const stored of this.#parts.store.sessions()) this.adopt(this.learn(stored), stored);
  }

  /** A session that somebody cares for, and that messages are kept for. */
  learn({ clientId, user, expiryInterval, subscriptions }: StoredSessionSummary): Session {
    const identity = { clientId, user, address: null, local: false, inside: false };
    const session = this.#new(identity, expiryInterval);
    session.stored = true;
    this.learnSubscriptions(session, subscriptions);
    return session;
  }

  learnSubscriptions(session: Session, subscriptions: readonly StoredSubscription[]): void {
    for (const one of subscriptions) {
      const { topic: filter, qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling } = one;
      const identifier = one.subscriptionIdentifier;
      const subscription = { filter, qos, noLocal, retainAsPublished, retainHandling, identifier };
      session.subscriptions.set(filter, subscription);
      this.#parts.router.add(session, subscription);
    }
  }

  forgetSubscription(session: Session, filter: string): boolean {
    const share = this.#parts.router.remove(session, filter);
    // It may have more waiting than it will take; others are glad of it.
    if (share !== null && session.outbox !== null) this.#passOn(session.outbox.giveUp(share));
    return session.subscriptions.delete(filter);
  }

  /** Cares for a session that was learned. Who was connected when its process ended is away since now. */
  adopt(session: Session, { disconnectedAt }: { readonly disconnectedAt: number | null }): void {
    const now = this.#parts.now();
    if (disconnectedAt === null) this.#record(session, now);
    // A wall clock that was set back does not make a session last longer than it may.
    const passed = Math.max(0, now - (disconnectedAt ?? now));
    this.#expire(session, session.expiryInterval * 1000 - passed);
  }

  /** Somebody else cares for a session from now on; messages are kept for it as before. */
  release(session: Session): void {
    this.#stay(session);
    this.#parts.wills.discard(session);
  }

  /** A client comes: resolves when its session is nobody else's. Rejects with STORE_UNREACHABLE. */
  async claim(clientId: string, others: Others, wanted: () => boolean): Promise<void> {
    const received = await others.claim(clientId, wanted);
    const session = this.#sessions.get(clientId);
    if (received === null || session === undefined) return;
    session.received.clear();
    for (const id of received) session.received.set(id, null);
  }

  /**
   * The session of a client that connects: the one it resumes, or a new one. Its earlier connection has left.
   * `expiryInterval`: seconds that it outlives the connection.
   */
  open(
    identity: Identity,
    cleanStart: boolean,
    expiryInterval: number,
  ): { session: Session; present: boolean } {
    const known = this.#sessions.get(identity.clientId);
    const present = known !== undefined && !cleanStart;
    if (present) {
      this.#stay(known);
      known.identity = identity;
      known.expiryInterval = expiryInterval;
    } else if (known !== undefined) this.end(known);
    const session = present ? known : this.#new(identity, expiryInterval);
    // One that was to last and is resumed for the last time is in the store already.
    if (present || session.lasting) this.#record(session, null);
    return { session, present };
  }

  /** Resolves when the store has what `open` did, and when what a session has kept can be delivered. */
  async ready(session: Session): Promise<void> {
    await session.backlog.load(this.#parts.newKey);
    await this.#parts.store.unwritten;
  }

  /**
   * The connection ended. A lasting session goes on without it, for its expiry interval, unless there are too many: then
   * that of the last comer ends.
   */
  leave(session: Session): void {
    session.detach();
    this.#parts.wills.lost(session);
    if (session.lasting && this.count > this.#parts.limits.sessions) {
      this.#parts.stats.sessionsRefused++;
      this.end(session);
      return;
    }
    if (session.lasting) this.#record(session, this.#parts.now());
    if (session.lasting) this.#offerUnsent(session);
    this.#expire(session, session.expiryInterval * 1000);
  }

  /** The session is over: nothing of it is kept. */
  end(session: Session): void {
    this.forget(session);
    this.#parts.wills.ended(session);
    this.#passOn(session.shared.filter(({ sent, variant }) => !sent || variant.qos === 1));
    session.shared = [];
    if (session.stored) unawaited(this.#parts.store.endSession(session.clientId));
  }

  /** Nothing of a session is known any more. */
  forget(session: Session): void {
    this.#expiries.get(session)?.cancel();
    this.#expiries.delete(session);
    for (const filter of session.subscriptions.keys()) this.#parts.router.remove(session, filter);
    session.subscriptions.clear();
    this.#sessions.delete(session.clientId);
  }

  subscribe(session: Session, subscription: Subscription): void {
    const { filter: topic, qos, noLocal: nl, retainAsPublished: rap, retainHandling: rh } = subscription;
    session.subscriptions.set(topic, subscription);
    this.#parts.router.add(session, subscription);
    if (!session.lasting) return;
    const { identifier } = subscription;
    const stored = {
      topic,
      qos,
      nl,
      rap,
      rh,
      ...(identifier === undefined ? {} : { subscriptionIdentifier: identifier }),
    };
    unawaited(this.#parts.store.addSubscriptions({ id: session.clientId }, [stored]));
  }

  unsubscribe(session: Session, filter: string): boolean {
    if (session.stored) unawaited(this.#parts.store.removeSubscriptions({ id: session.clientId }, [filter]));
    return this.forgetSubscription(session, filter);
  }

  /** What its client may not subscribe to any more goes. */
  review(session: Session): void {
    const { access } = this.#parts;
    for (const filter of session.subscriptions.keys()) {
      if (!access.maySubscribe(session.identity, filter)) this.unsubscribe(session, filter);
    }
  }

  /** The rules have changed. Clients that are away are asked about when they come. */
  reviewAll(): void {
    for (const session of this.#sessions.values()) if (session.outbox !== null) this.review(session);
  }

  /** When what was changed of a session is safe; null: it is, or nothing of it outlives the process. */
  written({ stored }: Session): Promise<void> | null {
    return stored ? this.#parts.store.unwritten : null;
  }

  /** The broker stops: what waits for its time does not come any more. */
  close(): void {
    for (const deadline of this.#expiries.values()) deadline.cancel();
    this.#expiries.clear();
  }

  /** Others who are connected get what a member was not sent; what it was sent, it may come back for. */
  #offerUnsent(session: Session): void {
    session.shared = session.shared.filter((delivery) => {
      const { message, sent, sharing } = delivery;
      if (sent || !sharing!.offer(message!, this.#parts.newKey())) return true;
      session.backlog.delete(delivery);
      return false;
    });
  }

  /** Others get what a member does not. Nothing of QoS 2 that was sent may be among it [MQTT-4.8.2-5]. */
  #passOn(deliveries: readonly Delivery[]): void {
    for (const { message, sharing } of deliveries) {
      if (!sharing!.passOn(message!, this.#parts.newKey())) this.#parts.stats.dropped++;
    }
  }

  #new(identity: Identity, expiryInterval: number): Session {
    const { access, limits, stats, partOf } = this.#parts;
    const kept = partOf(identity.clientId);
    const session = new Session(identity, expiryInterval, limits, stats, kept, access);
    this.#sessions.set(session.clientId, session);
    return session;
  }

  /** What was to happen while the client is away does not. */
  #stay(session: Session): void {
    this.#expiries.get(session)?.cancel();
    this.#expiries.delete(session);
    this.#parts.wills.cancel(session);
  }

  #record(session: Session, disconnectedAt: number | null): void {
    const { clientId, identity, expiryInterval } = session;
    session.stored = true;
    unawaited(
      this.#parts.store.putSession({ clientId, user: identity.user, expiryInterval, disconnectedAt }),
    );
  }

  /** `ms`: how long it still lasts if it has an end. */
  #expire(session: Session, ms: number): void {
    if (session.expiryInterval === NEVER) return;
    if (ms <= 0) this.#over(session);
    else this.#expiries.set(session, new Deadline(ms, () => this.#expired(session)));
  }

  #expired(session: Session): void {
    this.#parts.stats.expired++;
    this.#over(session);
  }

  #over(session: Session): void {
    this.end(session);
    this.#parts.store.others?.left(session.clientId);
  }
}

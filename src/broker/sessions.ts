import type { Identity } from './access/access.js';
import { Deadline } from './deadline.js';
import type { BacklogLimits } from './delivery/backlog.js';
import type { Router } from './delivery/router.js';
import type { Subscription } from './delivery/subscription.js';
import { NEVER, Session } from './session.js';
import type { BrokerStats } from './stats.js';
import type { Wills } from './wills.js';

export interface SessionsParts {
  readonly router: Router;
  readonly limits: BacklogLimits;
  readonly stats: BrokerStats;
  readonly wills: Wills;
}

/** All sessions by client id. */
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
    if (known !== undefined && !cleanStart) {
      this.#expiries.get(known)?.cancel();
      this.#expiries.delete(known);
      this.#parts.wills.cancel(known);
      known.identity = identity;
      known.expiryInterval = expiryInterval;
      return { session: known, present: true };
    }
    if (known !== undefined) this.end(known);
    const session = new Session(identity, expiryInterval, this.#parts.limits, this.#parts.stats);
    this.#sessions.set(session.clientId, session);
    return { session, present: false };
  }

  /** Resolves when what a session has kept can be delivered. */
  async ready(_session: Session): Promise<void> {}

  /** The connection ended. A lasting session goes on without it, for its expiry interval. */
  leave(session: Session): void {
    session.detach();
    this.#parts.wills.lost(session);
    if (!session.lasting) this.end(session);
    else if (session.expiryInterval < NEVER) {
      this.#expiries.set(session, new Deadline(session.expiryInterval * 1000, () => this.end(session)));
    }
  }

  /** The session is over: nothing of it is kept. */
  end(session: Session): void {
    this.#expiries.get(session)?.cancel();
    this.#expiries.delete(session);
    for (const filter of session.subscriptions.keys()) this.#parts.router.remove(session, filter);
    session.subscriptions.clear();
    session.backlog.clear();
    this.#sessions.delete(session.clientId);
    this.#parts.wills.ended(session);
  }

  subscribe(session: Session, subscription: Subscription): void {
    session.subscriptions.set(subscription.filter, subscription);
    this.#parts.router.add(session, subscription);
  }

  unsubscribe(session: Session, filter: string): boolean {
    this.#parts.router.remove(session, filter);
    return session.subscriptions.delete(filter);
  }

  /** The broker stops: what waits for its time does not come any more. */
  close(): void {
    for (const deadline of this.#expiries.values()) deadline.cancel();
    this.#expiries.clear();
  }
}

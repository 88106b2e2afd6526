import type { AedesClient } from './aedes-internals.js';
import type { BacklogLimits } from './delivery/backlog.js';
import type { Outbox } from './delivery/outbox.js';
import type { Router } from './delivery/router.js';
import { offerUnsent, passOn } from './delivery/share.js';
import type { Subscription } from './delivery/subscription.js';
import { Session } from './session.js';
import type { BrokerStats } from './stats.js';

export interface SessionLimits extends BacklogLimits {
  readonly sessions: number;
}

/** All sessions by client id. */
export class Sessions {
  readonly #router: Router;
  readonly #limits: SessionLimits;
  readonly #stats: BrokerStats;
  readonly #sessions = new Map<string, Session>();

  constructor(router: Router, limits: SessionLimits, stats: BrokerStats) {
    this.#router = router;
    this.#limits = limits;
    this.#stats = stats;
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

  /** The session of a client that has just connected: the one it resumes, or a new one. */
  open(client: AedesClient): Session {
    const known = this.#sessions.get(client.id);
    if (known?.lasting && !client._cleanStart) return known;
    if (known !== undefined) this.end(known);
    const session = new Session(client.id, this.#limits, this.#stats);
    this.#sessions.set(client.id, session);
    return session;
  }

  /** The connection ended. A lasting session goes on without it, unless there are too many: that of the last comer ends. */
  detach(session: Session, outbox: Outbox): void {
    // Another connection of the same client may have taken the session over.
    if (session.outbox !== outbox) return;
    const { lasting } = session;
    const tooMany = this.count > this.#limits.sessions;
    session.detach();
    if (lasting && tooMany) this.#stats.sessionsRefused++;
    if (lasting && !tooMany) offerUnsent(session.backlog);
    else this.end(session);
  }

  /** The session is over: nothing of it is kept. */
  end(session: Session): void {
    for (const filter of session.subscriptions.keys()) this.#router.remove(session, filter);
    session.subscriptions.clear();
    session.outbox?.close();
    if (session.backlog.shared > 0) this.#stats.dropped += passOn(session.backlog);
    session.backlog.clear();
    // Its client may have begun a new one.
    if (this.#sessions.get(session.clientId) === session) this.#sessions.delete(session.clientId);
  }

  subscribe(session: Session, subscription: Subscription): void {
    session.subscriptions.set(subscription.filter, subscription);
    this.#router.add(session, subscription);
  }

  unsubscribe(session: Session, filter: string): boolean {
    const share = this.#router.remove(session, filter);
    // It may have more waiting than it will take; others are glad of it.
    if (share !== null && session.outbox !== null) {
      this.#stats.dropped += passOn(session.outbox.giveUp(share));
    }
    return session.subscriptions.delete(filter);
  }
}

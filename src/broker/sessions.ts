import type { Access } from './access/access.js';
import type { AedesClient } from './aedes-internals.js';
import type { BacklogLimits } from './delivery/backlog.js';
import type { Outbox } from './delivery/outbox.js';
import type { Router } from './delivery/router.js';
import type { Subscription } from './delivery/subscription.js';
import { Session } from './session.js';
import type { BrokerStats } from './stats.js';

/** All sessions by client id. */
export class Sessions {
  readonly #router: Router;
  readonly #access: Access;
  readonly #limits: BacklogLimits;
  readonly #stats: BrokerStats;
  readonly #sessions = new Map<string, Session>();

  constructor(router: Router, access: Access, limits: BacklogLimits, stats: BrokerStats) {
    this.#router = router;
    this.#access = access;
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
    const session = new Session(client.id, this.#access, this.#limits, this.#stats);
    this.#sessions.set(client.id, session);
    return session;
  }

  /** The connection ended. A lasting session goes on without it. */
  detach(session: Session, outbox: Outbox): void {
    // Another connection of the same client may have taken the session over.
    if (session.outbox !== outbox) return;
    const { lasting } = session;
    session.detach();
    if (!lasting) this.end(session);
  }

  /** The session is over: nothing of it is kept. */
  end(session: Session): void {
    for (const filter of session.subscriptions.keys()) this.#router.remove(session, filter);
    session.subscriptions.clear();
    session.backlog.clear();
    // Its client may have begun a new one.
    if (this.#sessions.get(session.clientId) === session) this.#sessions.delete(session.clientId);
  }

  subscribe(session: Session, subscription: Subscription): void {
    session.subscriptions.set(subscription.filter, subscription);
    this.#router.add(session, subscription);
  }

  unsubscribe(session: Session, filter: string): boolean {
    this.#router.remove(session, filter);
    return session.subscriptions.delete(filter);
  }

  /** The rules have changed, or who its client is: what it may not have any more goes. */
  review(session: Session): void {
    const { identity, subscriptions } = session;
    const access = this.#access;
    if (identity === null) return;
    for (const filter of subscriptions.keys()) {
      if (!access.maySubscribe(identity, filter)) this.unsubscribe(session, filter);
    }
    session.withdraw((topic) => access.mayReceive(identity, topic));
  }
}

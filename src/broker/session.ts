import type { AedesClient } from './aedes-internals.js';
import type { Outbox } from './outbox.js';
import type { Router, Subscription } from './router.js';

/** What the broker keeps for a client id: with the connection, or beyond it. */
export interface Session {
  readonly clientId: string;
  readonly subscriptions: Map<string, Subscription>;
  /** Packet identifiers of QoS 2 messages received and not released: a PUBLISH with one of these is a repetition. */
  readonly received: Set<number>;
  /** Outlives the connection: messages of QoS 1 and 2 go to its stored queue. */
  lasting: boolean;
  /** null while no client is connected. */
  outbox: Outbox | null;
  /** Messages in the stored queue, about: for the bound. */
  stored: number;
}

/** All sessions by client id. */
export class Sessions {
  readonly #router: Router;
  readonly #sessions = new Map<string, Session>();

  constructor(router: Router) {
    this.#router = router;
  }

  get count(): number {
    return this.#sessions.size;
  }

  all(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** The session of a client that has just connected: the one it resumes, or a new one. */
  attach(client: AedesClient, outbox: Outbox): Session {
    if (client._cleanStart) this.end(client.id);
    let session = this.#sessions.get(client.id);
    if (session === undefined) {
      session = {
        clientId: client.id,
        subscriptions: new Map(),
        received: new Set(),
        lasting: false,
        outbox: null,
        stored: 0,
      };
      this.#sessions.set(client.id, session);
    }
    session.outbox?.close();
    session.outbox = outbox;
    session.lasting = !client.clean;
    return session;
  }

  /** The connection ended. A lasting session goes on without it. */
  detach(session: Session, outbox: Outbox): void {
    if (session.outbox !== outbox) return;
    session.outbox = null;
    if (!session.lasting) this.end(session.clientId);
  }

  /** The session is over: nothing of it is kept. */
  end(clientId: string): void {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    this.#sessions.delete(clientId);
    for (const filter of session.subscriptions.keys()) this.#router.remove(session, filter);
    session.subscriptions.clear();
  }

  subscribe(session: Session, subscription: Subscription): void {
    session.subscriptions.set(subscription.filter, subscription);
    this.#router.add(session, subscription);
  }

  unsubscribe(session: Session, filter: string): boolean {
    this.#router.remove(session, filter);
    return session.subscriptions.delete(filter);
  }
}

import type { Identity } from './access/access.js';
import type { PublishPacket } from './aedes-internals.js';
import { Deadline } from './deadline.js';
import type { Session } from './session.js';
import type { StoredWill, WillStore } from './store/store.js';
import { unawaited } from './store/unawaited.js';
import type { Will } from './will.js';

export interface WillsParts {
  readonly store: WillStore;
  /** Publishes for a client that is gone; `done` when it is captured and on its way. */
  readonly publish: (identity: Identity, packet: PublishPacket, done: () => void) => void;
}

/** When wills are published (MQTT 5 section 3.1.3.2.2). They are in the store, for the case that the process ends. */
export class Wills {
  readonly #parts: WillsParts;
  readonly #delayed = new Map<Session, Deadline>();
  /** By client id, as the store has them. */
  readonly #stored = new Map<string, Will>();

  constructor(parts: WillsParts) {
    this.#parts = parts;
  }

  /** Publishes the wills of those whose connection ended with the process before, or begins to wait for their delay. */
  async load(sessionOf: (clientId: string) => Session | undefined): Promise<void> {
    for await (const stored of this.#parts.store.streamWill({})) {
      this.restore(stored, sessionOf(stored.clientId ?? ''));
    }
  }

  /** The will of a client whose connection ended without us. */
  restore(stored: StoredWill, session: Session | undefined): void {
    const { delay, user, clientId = '', brokerId: _, ...packet } = stored;
    const will = { packet, delay };
    this.#stored.set(clientId, will);
    if (session === undefined) {
      this.#publishFor({ clientId, user, address: null, local: false, inside: false }, will);
    } else {
      session.will = will;
      this.lost(session);
    }
  }

  /** The client has connected with this will, or without. */
  set(session: Session, will: Will | null): void {
    const { clientId } = session;
    session.will = will;
    if (will !== null) {
      this.#stored.set(clientId, will);
      unawaited(
        this.#parts.store.putWill(
          { id: clientId },
          { ...will.packet, user: session.identity.user, delay: will.delay },
        ),
      );
    } else if (this.#stored.has(clientId)) {
      this.#remove(clientId);
    }
  }

  /** The client is there again: what was to be published later is not [MQTT-3.1.3-9]. */
  cancel(session: Session): void {
    this.#delayed.get(session)?.cancel();
    this.#delayed.delete(session);
    session.will = null;
  }

  /** The client says goodbye [MQTT-3.14.4-3]. */
  discard(session: Session): void {
    this.set(session, null);
  }

  /** The connection has ended. Without a goodbye the will is published; the delay ends with the session. */
  lost(session: Session): void {
    if (session.will === null) return;
    const seconds = Math.min(session.will.delay, session.expiryInterval);
    if (seconds === 0) this.#publish(session);
    else this.#delayed.set(session, new Deadline(seconds * 1000, () => this.#publish(session)));
  }

  /** The session is over: a will that waits is due [MQTT-3.1.2-8]. */
  ended(session: Session): void {
    if (this.#delayed.has(session)) this.#publish(session);
  }

  /** The broker stops: wills that wait are published after the next start. */
  close(): void {
    for (const deadline of this.#delayed.values()) deadline.cancel();
    this.#delayed.clear();
  }

  #publish(session: Session): void {
    const will = session.will!;
    this.cancel(session);
    this.#publishFor(session.identity, will);
  }

  #publishFor(identity: Identity, will: Will): void {
    const { clientId } = identity;
    this.#parts.publish(identity, will.packet, () => {
      // The client may have come back with another one.
      if (this.#stored.get(clientId) === will) this.#remove(clientId);
    });
  }

  #remove(clientId: string): void {
    this.#stored.delete(clientId);
    unawaited(this.#parts.store.delWill({ id: clientId }));
  }
}

import type { PublishPacket } from './aedes-internals.js';
import { Deadline } from './deadline.js';
import type { Session } from './session.js';

export interface WillsParts {
  /** Publishes for a client that is gone. */
  readonly publish: (session: Session, packet: PublishPacket) => void;
}

/** When wills are published (MQTT 5 section 3.1.3.2.2). */
export class Wills {
  readonly #parts: WillsParts;
  readonly #delayed = new Map<Session, Deadline>();

  constructor(parts: WillsParts) {
    this.#parts = parts;
  }

  /** The client is there again: what was to be published later is not [MQTT-3.1.3-9]. */
  cancel(session: Session): void {
    this.#delayed.get(session)?.cancel();
    this.#delayed.delete(session);
    session.will = null;
  }

  /** The connection has ended without a goodbye. The delay ends with the session. */
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

  close(): void {
    for (const deadline of this.#delayed.values()) deadline.cancel();
    this.#delayed.clear();
  }

  #publish(session: Session): void {
    const will = session.will!;
    this.cancel(session);
    this.#parts.publish(session, will.packet);
  }
}

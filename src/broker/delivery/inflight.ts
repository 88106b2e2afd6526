import type { Delivery } from './backlog.js';

const MOST_IDS = 65_535;

/** The messages of QoS 1 and 2 that one client has been sent and has not acknowledged, by packet identifier. */
export class Inflight {
  /** null if nothing of the message is needed any more. */
  readonly #deliveries = new Map<number, Delivery | null>();
  /** Identifiers of messages that were sent on an earlier connection and are not yet sent again. */
  readonly #reserved = new Set<number>();
  #next = 1;

  /** What is kept of those in flight, in the order in which they were sent. */
  *[Symbol.iterator](): Generator<Delivery> {
    for (const delivery of this.#deliveries.values()) if (delivery !== null) yield delivery;
  }

  get size(): number {
    return this.#deliveries.size;
  }

  /** An identifier that is not in use [MQTT-2.2.1-4]; there are more of them than may be in flight. */
  add(delivery: Delivery | null): number {
    let id = this.#next;
    while (this.#deliveries.has(id) || this.#reserved.has(id)) id = following(id);
    this.#next = following(id);
    this.#deliveries.set(id, delivery);
    return id;
  }

  /** One that is going to be sent again under its identifier. */
  reserve(id: number): void {
    this.#reserved.add(id);
  }

  /** One that was reserved is sent again. */
  addAgain(id: number, delivery: Delivery | null): void {
    this.#reserved.delete(id);
    this.#deliveries.set(id, delivery);
  }

  /** The client has one for good. What was kept of it; undefined: none is in flight under this identifier. */
  remove(id: number): Delivery | null | undefined {
    const delivery = this.#deliveries.get(id);
    if (delivery !== undefined) this.#deliveries.delete(id);
    return delivery;
  }

  /** What is kept of one; undefined: none is in flight under this identifier. */
  get(id: number): Delivery | null | undefined {
    return this.#deliveries.get(id);
  }
}

function following(id: number): number {
  return id === MOST_IDS ? 1 : id + 1;
}

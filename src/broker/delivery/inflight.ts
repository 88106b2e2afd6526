import type { Delivery } from './backlog.js';

const MOST_IDS = 65_535;

/** Which acknowledgement a message waits for: one of QoS 1 the first, one of QoS 2 the others in turn. */
export const PUBACK = 1;
export const PUBREC = 2;
export const PUBCOMP = 3;
export type Awaited = typeof PUBACK | typeof PUBREC | typeof PUBCOMP;

/** What is kept of a message that is in flight; if nothing, only what it waits for. */
export type Flying = Delivery | Awaited;

export function awaitedOf(flying: Flying): Awaited {
  if (typeof flying === 'number') return flying;
  if (flying.variant.qos === 1) return PUBACK;
  return flying.message === null ? PUBCOMP : PUBREC;
}

/** The messages of QoS 1 and 2 that one client has been sent and has not acknowledged, by packet identifier. */
export class Inflight {
  readonly #flying = new Map<number, Flying>();
  /** Identifiers of messages that were sent on an earlier connection and are not yet sent again. */
  readonly #reserved = new Set<number>();
  #next = 1;

  /** What is kept of those in flight, in the order in which they were sent. */
  *[Symbol.iterator](): Generator<Delivery> {
    for (const flying of this.#flying.values()) if (typeof flying === 'object') yield flying;
  }

  get size(): number {
    return this.#flying.size;
  }

  /** An identifier that is not in use [MQTT-2.2.1-4]; there are more of them than may be in flight. */
  add(flying: Flying): number {
    let id = this.#next;
    while (this.#flying.has(id) || this.#reserved.has(id)) id = following(id);
    this.#next = following(id);
    this.#flying.set(id, flying);
    return id;
  }

  /** One that is going to be sent again under its identifier. */
  reserve(id: number): void {
    this.#reserved.add(id);
  }

  /** One that was reserved is sent again. */
  addAgain(id: number, delivery: Delivery): void {
    this.#reserved.delete(id);
    this.#flying.set(id, delivery);
  }

  /** The client has the message of QoS 2 with this identifier, of which nothing is kept: only PUBREL and PUBCOMP are left. */
  release(id: number): void {
    this.#flying.set(id, PUBCOMP);
  }

  /** The client has one for good. */
  remove(id: number): void {
    this.#flying.delete(id);
  }

  /** undefined: none is in flight under this identifier. */
  get(id: number): Flying | undefined {
    return this.#flying.get(id);
  }
}

function following(id: number): number {
  return id === MOST_IDS ? 1 : id + 1;
}

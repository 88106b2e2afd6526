import type { BrokerStats } from '../stats.js';
import type { Message } from './message.js';
import type { Variant } from './variant.js';

export interface BacklogLimits {
  /** Most bytes that wait for one client. */
  readonly clientQueueBytes: number;
  /** Most messages of QoS 1 and 2 that wait for one client. */
  readonly clientQueueMessages: number;
}

/** A message of QoS 1 or 2, or one of QoS 0 that waits behind such, on its way to a session. */
export interface Delivery {
  readonly message: Message;
  variant: Variant;
  /** Outlives the connection. */
  kept: boolean;
  /** Its packet identifier; 0 until it is sent for the first time. */
  id: number;
  /** QoS 2: the client has it, only PUBREL and PUBCOMP are left. */
  released: boolean;
}

/** What the client of a lasting session has not acknowledged, in order: messages of QoS 1 and 2. */
export class Backlog {
  readonly #limits: BacklogLimits;
  readonly #stats: BrokerStats;
  readonly #deliveries = new Set<Delivery>();
  #bytes = 0;

  constructor(limits: BacklogLimits, stats: BrokerStats) {
    this.#limits = limits;
    this.#stats = stats;
  }

  get messages(): number {
    return this.#deliveries.size;
  }

  /** Bytes of payload. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a message; the bounds are those of the connection that it goes out on. */
  keep(delivery: Delivery): void {
    delivery.kept = true;
    delivery.message.detach();
    this.#deliveries.add(delivery);
    this.#bytes += delivery.message.payloadBytes;
  }

  /** Keeps a message for a client that is not there; beyond the bounds it is dropped and counted. */
  keepIfRoom(delivery: Delivery): void {
    const { clientQueueBytes, clientQueueMessages } = this.#limits;
    const bytes = this.#bytes + delivery.message.payloadBytes;
    // One message always is kept, be it larger than the bound.
    const full = this.messages >= clientQueueMessages || (this.messages > 0 && bytes > clientQueueBytes);
    if (full) this.#stats.dropped++;
    else this.keep(delivery);
  }

  delete(delivery: Delivery): void {
    if (this.#deliveries.delete(delivery)) this.#bytes -= delivery.message.payloadBytes;
  }

  clear(): void {
    this.#deliveries.clear();
    this.#bytes = 0;
  }

  [Symbol.iterator](): IterableIterator<Delivery> {
    return this.#deliveries.values();
  }
}

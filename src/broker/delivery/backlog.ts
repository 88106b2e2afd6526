import type { BrokerStats } from '../stats.js';
import type { Message } from './message.js';
import type { Variant } from './variant.js';

export interface BacklogLimits {
  /** Most bytes that wait for one client. */
  readonly clientQueueBytes: number;
  /** Most messages of QoS 1 and 2 that wait for one client. */
  readonly clientQueueMessages: number;
  /** What is dropped beyond them while the client is away. */
  readonly whenSessionQueueFull: 'drop-newest' | 'drop-oldest';
}

/** A shared subscription, as far as a message knows it that came through it: others may take it instead. */
export interface Sharing {
  /** To one who is connected. False: nobody takes it. */
  offer(message: Message): boolean;
  /** To anybody. False: nobody takes it. */
  passOn(message: Message): boolean;
}

/** A message of QoS 1 or 2, or one of QoS 0 that waits behind such, on its way to a session. */
export interface Delivery {
  readonly message: Message;
  variant: Variant;
  /** null: it is for this session alone. */
  readonly sharing: Sharing | null;
  /** Outlives the connection. */
  kept: boolean;
  /** Its packet identifier; 0 until it is sent for the first time. */
  id: number;
  /** QoS 2: the client has it, only PUBREL and PUBCOMP are left. */
  released: boolean;
}

/**
 * What the client of a lasting session has not acknowledged, in order: messages of QoS 1 and 2. Of any session: what
 * came through a shared subscription, which others may take when the session is over.
 */
export class Backlog {
  readonly #limits: BacklogLimits;
  readonly #stats: BrokerStats;
  readonly #deliveries = new Set<Delivery>();
  #bytes = 0;
  #shared = 0;

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

  /** How many came through a shared subscription. */
  get shared(): number {
    return this.#shared;
  }

  /** Keeps a message; the bounds are those of the connection that it goes out on. */
  keep(delivery: Delivery): void {
    delivery.kept = true;
    delivery.message.detach();
    this.#deliveries.add(delivery);
    this.#bytes += delivery.message.payloadBytes;
    if (delivery.sharing !== null) this.#shared++;
  }

  hasRoom({ payloadBytes }: Message): boolean {
    const { clientQueueBytes, clientQueueMessages } = this.#limits;
    // One message always is kept, be it larger than the bound.
    return (
      this.messages === 0 ||
      (this.messages < clientQueueMessages && this.#bytes + payloadBytes <= clientQueueBytes)
    );
  }

  /** Keeps a message for a client that is not there; beyond the bounds it or older ones are dropped and counted. */
  keepIfRoom(delivery: Delivery): void {
    if (this.#limits.whenSessionQueueFull === 'drop-oldest') this.#makeRoom(delivery.message);
    if (this.hasRoom(delivery.message)) this.keep(delivery);
    else this.#stats.dropped++;
  }

  /** What was sent stays: the client may have it, and knows its identifier. */
  #makeRoom(message: Message): void {
    for (const oldest of this.#deliveries) {
      if (this.hasRoom(message)) return;
      if (oldest.id > 0) continue;
      this.delete(oldest);
      this.#stats.dropped++;
    }
  }

  delete(delivery: Delivery): void {
    if (!this.#deliveries.delete(delivery)) return;
    this.#bytes -= delivery.message.payloadBytes;
    if (delivery.sharing !== null) this.#shared--;
  }

  clear(): void {
    this.#shared = 0;
    this.#deliveries.clear();
    this.#bytes = 0;
  }

  [Symbol.iterator](): IterableIterator<Delivery> {
    return this.#deliveries.values();
  }
}

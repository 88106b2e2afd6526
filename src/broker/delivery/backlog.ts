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
  /** Its place among what the session has kept; 0 if it is not kept. */
  readonly key: number;
  /** null: the client has it (QoS 2), only PUBREL and PUBCOMP are left. */
  message: Message | null;
  variant: Variant;
  /** Outlives the connection. */
  kept: boolean;
  /** Its packet identifier; 0 until it is sent for the first time. */
  id: number;
  /** It was, perhaps on an earlier connection. */
  sent: boolean;
}

/** Where a session's deliveries outlive the process. */
export interface KeptDeliveries {
  put(delivery: Delivery): void;
  /** It goes out as `delivery.id`. */
  identify(delivery: Delivery): void;
  /** The client has it; PUBREL is next. */
  release(delivery: Delivery): void;
  remove(delivery: Delivery): void;
  /** Those with a key below `before`, in order. */
  read(before: number): Promise<Delivery[]>;
  /** When all of the above is safe; null: it is. */
  written(): Promise<void> | null;
  readonly messages: number;
  /** Bytes of payload. */
  readonly bytes: number;
  /** There is no message, and none that waits for PUBCOMP. */
  readonly empty: boolean;
}

/** What the client of a lasting session has not acknowledged, in order: messages of QoS 1 and 2. It is in the store. */
export class Backlog {
  readonly #limits: BacklogLimits;
  readonly #stats: BrokerStats;
  readonly #kept: KeptDeliveries;
  /** For a connection that comes: what was kept, and what has been since. */
  #coming: Delivery[] | null = null;

  constructor(limits: BacklogLimits, stats: BrokerStats, kept: KeptDeliveries) {
    this.#limits = limits;
    this.#stats = stats;
    this.#kept = kept;
  }

  get messages(): number {
    return this.#kept.messages;
  }

  /** Bytes of payload. */
  get bytes(): number {
    return this.#kept.bytes;
  }

  /** Keeps a message; the bounds are those of the connection that it goes out on. */
  keep(delivery: Delivery): void {
    delivery.message!.detach();
    this.#coming?.push(delivery);
    this.#kept.put(delivery);
  }

  /** Keeps a message for a client that is not there; beyond the bounds it is dropped and counted. */
  keepIfRoom(delivery: Delivery): void {
    const { clientQueueBytes, clientQueueMessages } = this.#limits;
    const { messages } = this;
    const bytes = this.bytes + delivery.message!.payloadBytes;
    // One message always is kept, be it larger than the bound.
    const full = messages >= clientQueueMessages || (messages > 0 && bytes > clientQueueBytes);
    if (full) this.#stats.dropped++;
    else this.keep(delivery);
  }

  /** It goes out as `delivery.id`. */
  identify(delivery: Delivery): void {
    this.#kept.identify(delivery);
  }

  /** The client has it; PUBREL is next. */
  release(delivery: Delivery): void {
    this.#kept.release(delivery);
    delivery.message = null;
  }

  delete(delivery: Delivery): void {
    this.#kept.remove(delivery);
  }

  /** When all of the above is safe; null: it is. */
  written(): Promise<void> | null {
    return this.#kept.written();
  }

  /** The client is coming: `take` is going to have what has a key below `before`, and all that is kept from now on. */
  async load(before: number): Promise<void> {
    const later: Delivery[] = [];
    this.#coming = later;
    if (this.#kept.empty) return;
    const earlier = await this.#kept.read(before);
    if (this.#coming === later) this.#coming = [...earlier, ...later];
  }

  /** What was loaded. The connection has what comes from now on. */
  take(): Delivery[] {
    const deliveries = this.#coming ?? [];
    this.#coming = null;
    return deliveries;
  }
}

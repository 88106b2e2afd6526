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
  /** To one who is connected; `key`: its place in a backlog. False: nobody takes it. */
  offer(message: Message, key: number): boolean;
  /** To anybody. False: nobody takes it. */
  passOn(message: Message, key: number): boolean;
}

/** A message of QoS 1 or 2, or one of QoS 0 that waits behind such, on its way to a session. */
export interface Delivery {
  /** Its place among what the session has kept; 0 if it is not kept. */
  readonly key: number;
  /** null: the client has it (QoS 2), only PUBREL and PUBCOMP are left. */
  message: Message | null;
  variant: Variant;
  /** null: it is for this session alone. */
  sharing: Sharing | null;
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
  /** Removes the oldest until there are no more than these; resolves to how many. */
  trim(messages: number, bytes: number): Promise<number>;
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
  /** Of those that came through one, by key. A restart forgets it: then they are for this session alone. */
  readonly #sharings = new Map<number, Sharing>();
  #trimming = false;

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
    if (delivery.sharing !== null) this.#sharings.set(delivery.key, delivery.sharing);
    this.#kept.put(delivery);
  }

  hasRoom({ payloadBytes }: Message): boolean {
    const { clientQueueBytes, clientQueueMessages } = this.#limits;
    const { messages } = this;
    // One message always is kept, be it larger than the bound.
    return (
      messages === 0 || (messages < clientQueueMessages && this.bytes + payloadBytes <= clientQueueBytes)
    );
  }

  /** Keeps a message for a client that is not there; beyond the bounds it or older ones are dropped and counted. */
  keepIfRoom(delivery: Delivery): void {
    if (this.hasRoom(delivery.message!)) this.keep(delivery);
    // What is being read for a connection that comes stays.
    else if (this.#limits.whenSessionQueueFull === 'drop-newest' || this.#coming !== null)
      this.#stats.dropped++;
    else {
      this.keep(delivery);
      if (!this.#trimming) void this.#trim();
    }
  }

  /** Never rejects: the store reports what it cannot do. */
  async #trim(): Promise<void> {
    const { clientQueueBytes, clientQueueMessages } = this.#limits;
    this.#trimming = true;
    let removed = 1;
    while (removed > 0 && (this.messages > clientQueueMessages || this.bytes > clientQueueBytes)) {
      removed = await this.#kept.trim(clientQueueMessages, clientQueueBytes).catch(() => 0);
      this.#stats.dropped += removed;
    }
    this.#trimming = false;
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
    this.#sharings.delete(delivery.key);
    this.#kept.remove(delivery);
  }

  /** When all of the above is safe; null: it is. */
  written(): Promise<void> | null {
    return this.#kept.written();
  }

  /** The client is coming: `take` is going to have what has a key below a new one, and all that is kept from now on. */
  async load(newKey: () => number): Promise<void> {
    const later: Delivery[] = [];
    this.#coming = later;
    if (this.#kept.empty) return;
    const earlier = await this.#kept.read(newKey());
    for (const one of earlier) one.sharing = this.#sharings.get(one.key) ?? null;
    if (this.#coming === later) this.#coming = [...earlier, ...later];
  }

  /** What was loaded. The connection has what comes from now on. */
  take(): Delivery[] {
    const deliveries = this.#coming ?? [];
    this.#coming = null;
    return deliveries;
  }
}

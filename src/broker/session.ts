import { Both } from '../both.js';
import type { Access, Identity } from './access/access.js';
import type { AedesClient } from './aedes-internals.js';
import type { Answers } from './answers.js';
import { Backlog, type BacklogLimits, type Delivery, type KeptDeliveries } from './delivery/backlog.js';
import type { Message } from './delivery/message.js';
import type { Outbox } from './delivery/outbox.js';
import type { Subscription } from './delivery/subscription.js';
import { variantOf } from './delivery/variant.js';
import type { BrokerStats } from './stats.js';
import type { Will } from './will.js';

/** Expiry interval of a session that lasts until its client ends it (MQTT 5 section 3.1.2.11.2). */
export const NEVER = 0xffff_ffff;

/** An expiry interval within the limit, which is in ms; 0: none. */
export function expiryWithin(seconds: number, limitMs: number): number {
  return limitMs === 0 ? seconds : Math.min(seconds, Math.ceil(limitMs / 1000));
}

/** The connection that is told what becomes of a message. */
export interface Told {
  readonly client: AedesClient;
  readonly answers: Answers;
}

/** What outlives the process of a session that lasts. */
export interface KeptSession extends KeptDeliveries {
  /** A QoS 2 message was received under an identifier, which is not to be another one's until it is released. */
  putReceived(id: number): void;
  removeReceived(id: number): void;
  /** The identifiers received and not released. */
  readonly received: Iterable<number>;
}

/** What the broker keeps for a client id: with the connection, or beyond it. */
export class Session {
  readonly clientId: string;
  readonly subscriptions = new Map<string, Subscription>();
  /**
   * Packet identifiers of QoS 2 messages received and not released: a PUBLISH with one of these is a repetition.
   * While the message waits for room in a ring, the connection that is to be told when it is captured; then when it is
   * safe; null: it is.
   */
  readonly received = new Map<number, Told | Promise<void> | null>();
  readonly #both = new Both();
  readonly backlog: Backlog;
  readonly #kept: KeptSession;
  readonly #access: Access;
  /** Who connected last. */
  identity: Identity;
  /** Seconds that it outlives the connection; 0: it ends with it. */
  expiryInterval: number;
  /** The store knows it. */
  stored = false;
  /** Of the connection, or of the last one while it waits for its delay. */
  will: Will | null = null;
  /** What came through shared subscriptions and was not acknowledged when the connection ended. */
  shared: readonly Delivery[] = [];
  #outbox: Outbox | null = null;

  constructor(
    identity: Identity,
    expiryInterval: number,
    limits: BacklogLimits,
    stats: BrokerStats,
    kept: KeptSession,
    access: Access,
  ) {
    this.identity = identity;
    this.clientId = identity.clientId;
    this.expiryInterval = expiryInterval;
    this.backlog = new Backlog(limits, stats, kept);
    this.#kept = kept;
    this.#access = access;
    for (const id of kept.received) this.received.set(id, null);
  }

  /** null while no client is connected. */
  get outbox(): Outbox | null {
    return this.#outbox;
  }

  /** Outlives the connection. */
  get lasting(): boolean {
    return this.expiryInterval > 0;
  }

  /** Nobody is connected, and it keeps what comes. */
  get away(): boolean {
    return this.lasting && this.#outbox?.open !== true;
  }

  attach(outbox: Outbox): void {
    this.shared = [];
    this.#outbox = outbox;
    outbox.restore();
  }

  detach(): void {
    this.shared = this.#outbox?.shared() ?? [];
    this.#outbox?.close();
    this.#outbox = null;
    this.backlog.take();
  }

  /**
   * A QoS 2 message was received under `id`, and is taken care of, `captured` with it. When both are safe; null: they are.
   */
  receive(id: number, captured: Promise<void> | null): Promise<void> | null {
    if (this.lasting) this.#kept.putReceived(id);
    const safe = this.#both.of(captured, this.lasting ? this.#kept.written() : null);
    this.received.set(id, safe);
    return safe;
  }

  /** The identifier is free again. When that is safe; null: it is. */
  release(id: number): Promise<void> | null {
    this.received.delete(id);
    if (this.lasting) this.#kept.removeReceived(id);
    return this.lasting ? this.#kept.written() : null;
  }

  /**
   * Gives the client a message. `keep`: until the client has acknowledged it, if the session lasts and the QoS is above 0;
   * `place`: its key among what is kept if it is not the message's own. That one is not handed over: a number that large
   * would be an object on the heap for each subscriber.
   */
  deliver(
    message: Message,
    qos: 0 | 1 | 2,
    retain: boolean,
    identifiers: readonly number[] | null,
    keep: boolean,
    place = 0,
  ): void {
    const outbox = this.#outbox;
    if (outbox !== null && this.#withheld(message)) return;
    const key = keep && qos > 0 && this.lasting ? place || message.key : 0;
    const variant = variantOf(outbox?.version5 === true, qos, retain, identifiers);
    if (outbox?.deliver(message, variant, key) === true || key === 0) return;
    this.backlog.keepIfRoom({ key, message, variant, sharing: null, kept: true, id: 0, sent: false });
  }

  /** What matches a subscription that was granted may be denied. For a client that is away it is decided when it comes. */
  #withheld({ known, topic }: Message): boolean {
    const access = this.#access;
    return (known.own || access.restrictsDelivery) && !access.mayReceive(this.identity, topic);
  }
}

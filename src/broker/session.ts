import type { Identity } from './access/access.js';
import type { AedesClient } from './aedes-internals.js';
import { Backlog, type BacklogLimits } from './delivery/backlog.js';
import type { Message } from './delivery/message.js';
import type { Outbox } from './delivery/outbox.js';
import type { Output } from './delivery/output.js';
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
  readonly output: Output;
}

/** What the broker keeps for a client id: with the connection, or beyond it. */
export class Session {
  readonly clientId: string;
  readonly subscriptions = new Map<string, Subscription>();
  /**
   * Packet identifiers of QoS 2 messages received and not released: a PUBLISH with one of these is a repetition.
   * While the message waits for room in a ring, the connection that is to be told when it is captured; else null.
   */
  readonly received = new Map<number, Told | null>();
  readonly backlog: Backlog;
  /** Who connected last. */
  identity: Identity;
  /** Seconds that it outlives the connection; 0: it ends with it. */
  expiryInterval: number;
  /** Of the connection, or of the last one while it waits for its delay. */
  will: Will | null = null;
  #outbox: Outbox | null = null;

  constructor(identity: Identity, expiryInterval: number, limits: BacklogLimits, stats: BrokerStats) {
    this.identity = identity;
    this.clientId = identity.clientId;
    this.expiryInterval = expiryInterval;
    this.backlog = new Backlog(limits, stats);
  }

  /** null while no client is connected. */
  get outbox(): Outbox | null {
    return this.#outbox;
  }

  /** Outlives the connection. */
  get lasting(): boolean {
    return this.expiryInterval > 0;
  }

  attach(outbox: Outbox): void {
    this.#outbox = outbox;
    outbox.restore();
  }

  detach(): void {
    this.#outbox?.close();
    this.#outbox = null;
  }

  /** Gives the client a message, or keeps it until there is one if `keep` and if the session and the QoS allow it. */
  deliver(
    message: Message,
    qos: 0 | 1 | 2,
    retain: boolean,
    identifiers: readonly number[] | null,
    keep: boolean,
  ): void {
    const outbox = this.#outbox;
    const keeping = keep && qos > 0 && this.lasting;
    const variant = variantOf(outbox?.version5 === true, qos, retain, identifiers);
    if (outbox?.deliver(message, variant, keeping) === true || !keeping) return;
    this.backlog.keepIfRoom({ message, variant, kept: true, id: 0, released: false });
  }
}

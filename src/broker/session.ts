import type { AedesClient } from './aedes-internals.js';
import { Backlog, type BacklogLimits } from './delivery/backlog.js';
import type { Message } from './delivery/message.js';
import type { Outbox } from './delivery/outbox.js';
import type { Output } from './delivery/output.js';
import type { Subscription } from './delivery/subscription.js';
import { variantOf } from './delivery/variant.js';
import type { BrokerStats } from './stats.js';

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
  #outbox: Outbox | null = null;

  constructor(clientId: string, limits: BacklogLimits, stats: BrokerStats) {
    this.clientId = clientId;
    this.backlog = new Backlog(limits, stats);
  }

  /** null while no client is connected. */
  get outbox(): Outbox | null {
    return this.#outbox;
  }

  /** Outlives the connection. Others end with it, so one without a connection is lasting. */
  get lasting(): boolean {
    return this.#outbox === null || !this.#outbox.client.clean;
  }

  /** Nobody is connected, and it keeps what comes. */
  get away(): boolean {
    return this.lasting && this.#outbox?.open !== true;
  }

  /** The client has connected, perhaps while an earlier connection of it is not quite gone. */
  attach(outbox: Outbox): void {
    this.#outbox?.close();
    this.#outbox = outbox;
    outbox.restore();
  }

  detach(): void {
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
    this.backlog.keepIfRoom({ message, variant, sharing: null, kept: true, id: 0, released: false });
  }
}

import type { PublishPacket } from '../aedes-internals.js';
import type { Message } from '../delivery/message.js';
import type { Log } from '../log.js';
import type { Pipeline } from '../pipeline.js';
import type { Retained } from '../retained.js';
import type { Sessions } from '../sessions.js';
import type { BrokerStats } from '../stats.js';

export interface HandlerLimits {
  readonly topicLevels: number;
  readonly topicBytes: number;
  readonly subscriptionsPerClient: number;
  /** Messages of QoS 1 and 2 from one client that are not acknowledged. */
  readonly receiveMaximum: number;
  /** PUBLISH packets and requests of one client; 0: no limit. */
  readonly messagesPerSecond: number;
  readonly requestsPerSecond: number;
}

/** What handlers work with. */
export interface HandlerParts {
  readonly limits: HandlerLimits;
  readonly log: Log;
  /** Monotonic time in ms. */
  readonly now: () => number;
  readonly pipeline: Pipeline;
  readonly retained: Retained;
  readonly sessions: Sessions;
  readonly stats: BrokerStats;
  /** As aedes knows messages. */
  readonly packetOf: (message: Message) => PublishPacket;
  /** A PUBLISH on `$STREAM/...`; `allowed`: the client does not ask too often. */
  readonly onRequest: (packet: PublishPacket, clientId: string, allowed: boolean) => void;
  /** A PUBLISH of the transfer client. */
  readonly onTransferPublish: (packet: PublishPacket) => void;
  /** The transfer client has subscribed. */
  readonly onTransferReady: () => void;
}

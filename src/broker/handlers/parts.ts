import type { PublishPacket, PublishProperties } from '../aedes-internals.js';
import type { Message } from '../delivery/message.js';
import type { Log } from '../log.js';
import type { Pipeline } from '../pipeline.js';
import type { Retained } from '../retained.js';
import type { Sessions } from '../sessions.js';
import type { BrokerStats } from '../stats.js';

/** What handlers work with. */
export interface HandlerParts {
  readonly limits: { readonly topicLevels: number };
  readonly log: Log;
  readonly pipeline: Pipeline;
  readonly retained: Retained;
  readonly sessions: Sessions;
  readonly stats: BrokerStats;
  /** As aedes knows messages. */
  readonly packetOf: (message: Message) => PublishPacket;
  /** A PUBLISH on `$STREAM/...`. */
  readonly onRequest: (packet: PublishPacket, clientId: string) => void;
  /** A PUBLISH of the transfer client. */
  readonly onTransferPublish: (packet: PublishPacket) => void;
  /** The transfer client has subscribed. */
  readonly onTransferReady: () => void;
  /** Whether a message has gone out of this broker before, and is back. */
  readonly hasReturned: (properties: PublishProperties) => boolean;
}

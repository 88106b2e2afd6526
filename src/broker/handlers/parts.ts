import type { IConnectPacket } from 'mqtt-packet';
import type { Audit } from '../../audit.js';
import type { Access, Identity } from '../access/access.js';
import type { PublishPacket, PublishProperties } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import type { Message } from '../delivery/message.js';
import type { Keys, Pipeline } from '../pipeline.js';
import type { Retained } from '../retained.js';
import type { Session } from '../session.js';
import type { Sessions } from '../sessions.js';
import type { BrokerStats } from '../stats.js';
import type { Others } from '../store/store.js';
import type { LatestValues } from '../sys/latest.js';
import type { Wills } from '../wills.js';

export interface HandlerLimits {
  readonly packetBytes: number;
  readonly topicLevels: number;
  readonly topicBytes: number;
  readonly topicAliasMaximum: number;
  /** Longest keep-alive, ms; 0: any. */
  readonly keepAlive: number;
  /** Longest that a session outlives its connection, ms; 0: for ever. */
  readonly sessionExpiry: number;
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
  readonly access: Access;
  readonly audit: Audit;
  /** Monotonic time in ms. */
  readonly monotonic: () => number;
  readonly keys: Keys;
  readonly pipeline: Pipeline;
  readonly retained: Retained;
  /** What is under `$SYS/broker/...`. */
  readonly sysValues: LatestValues;
  readonly sessions: Sessions;
  readonly wills: Wills;
  readonly stats: BrokerStats;
  /** Other instances that may have a client that comes; null: there are none. */
  readonly others: Others | null;
  /** Ends an earlier connection of the same client. */
  readonly claim: (connection: Connection) => void;
  /** A client has been let in. */
  readonly connected: (connection: Connection, session: Session, packet: IConnectPacket) => void;
  /** As aedes knows messages. */
  readonly packetOf: (message: Message) => PublishPacket;
  /** A PUBLISH on `$STREAM/...`; `allowed`: the client does not ask too often. */
  readonly onRequest: (packet: PublishPacket, who: Identity, allowed: boolean) => void;
  /** A PUBLISH of the transfer client. */
  readonly onTransferPublish: (packet: PublishPacket) => void;
  /** The transfer client has subscribed. */
  readonly onTransferReady: () => void;
  /** Whether a message has gone out of this broker before, and is back. */
  readonly hasReturned: (properties: PublishProperties) => boolean;
}

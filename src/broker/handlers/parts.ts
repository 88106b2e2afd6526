import type { Access } from '../access/access.js';
import type { PublishPacket } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import type { Message } from '../delivery/message.js';
import type { Log } from '../log.js';
import type { Keys, Pipeline } from '../pipeline.js';
import type { Retained } from '../retained.js';
import type { Session } from '../session.js';
import type { Sessions } from '../sessions.js';
import type { BrokerStats } from '../stats.js';
import type { Others } from '../store/store.js';
import type { Wills } from '../wills.js';

/** What handlers work with. */
export interface HandlerParts {
  readonly limits: {
    readonly packetBytes: number;
    readonly topicLevels: number;
    /** Longest keep-alive, ms; 0: any. */
    readonly keepAlive: number;
    /** Longest that a session outlives its connection, ms; 0: for ever. */
    readonly sessionExpiry: number;
  };
  readonly access: Access;
  readonly log: Log;
  readonly keys: Keys;
  readonly pipeline: Pipeline;
  readonly retained: Retained;
  readonly sessions: Sessions;
  readonly wills: Wills;
  readonly stats: BrokerStats;
  /** Other instances that may have a client that comes; null: there are none. */
  readonly others: Others | null;
  /** Ends an earlier connection of the same client. */
  readonly claim: (connection: Connection) => void;
  /** A client has been let in. */
  readonly connected: (connection: Connection, session: Session) => void;
  /** As aedes knows messages. */
  readonly packetOf: (message: Message) => PublishPacket;
  /** A PUBLISH on `$STREAM/...`. */
  readonly onRequest: (packet: PublishPacket, clientId: string) => void;
  /** A PUBLISH of the transfer client. */
  readonly onTransferPublish: (packet: PublishPacket) => void;
  /** The transfer client has subscribed. */
  readonly onTransferReady: () => void;
}

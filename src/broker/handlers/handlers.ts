import type { ISubscribePacket, IUnsubscribePacket } from 'mqtt-packet';
import type { Packet, PublishPacket } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import type { Log } from '../log.js';
import type { Pipeline } from '../pipeline.js';
import type { Retained } from '../retained.js';
import type { Sessions } from '../sessions.js';
import type { BrokerStats } from '../stats.js';
import { handleAck, handlePubrel } from './acks.js';
import { handlePublish } from './publish.js';
import { handleSubscribe } from './subscribe.js';
import { handleUnsubscribe } from './unsubscribe.js';

/** What handlers work with. */
export interface HandlerParts {
  readonly limits: { readonly topicLevels: number };
  readonly log: Log;
  readonly pipeline: Pipeline;
  readonly retained: Retained;
  readonly sessions: Sessions;
  readonly stats: BrokerStats;
  readonly heldConnections: Set<Connection>;
  /** A PUBLISH on `$STREAM/...`. */
  readonly onRequest: (packet: PublishPacket, clientId: string) => void;
  /** A PUBLISH of the transfer client. */
  readonly onTransferPublish: (packet: PublishPacket) => void;
  /** The transfer client has subscribed. */
  readonly onTransferReady: () => void;
}

/** One packet of a connected client. What is not here aedes does: CONNECT, PINGREQ, DISCONNECT, AUTH. */
export function handlePacket(parts: HandlerParts, connection: Connection, packet: Packet): boolean {
  switch (packet.cmd) {
    case 'publish': {
      const routed = handlePublish(parts, connection, packet as PublishPacket);
      connection.keepAlive();
      return routed;
    }
    case 'puback':
    case 'pubrec':
    case 'pubcomp':
      handleAck(connection, packet);
      break;
    case 'pubrel':
      handlePubrel(connection, packet);
      break;
    case 'subscribe':
      handleSubscribe(parts, connection, packet as ISubscribePacket);
      break;
    case 'unsubscribe':
      handleUnsubscribe(parts, connection, packet as IUnsubscribePacket);
      break;
    default:
      connection.passOn(packet);
      return true;
  }
  connection.keepAlive();
  return true;
}

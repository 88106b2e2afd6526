import type { ISubscribePacket, IUnsubscribePacket } from 'mqtt-packet';
import type { Packet, PublishPacket } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import type { Message } from '../delivery/message.js';
import type { Log } from '../log.js';
import type { Pipeline } from '../pipeline.js';
import type { Retained } from '../retained.js';
import type { Sessions } from '../sessions.js';
import type { BrokerStats } from '../stats.js';
import { handleAcknowledgement } from './acks.js';
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
  /** As aedes knows messages. */
  readonly packetOf: (message: Message) => PublishPacket;
  /** A PUBLISH on `$STREAM/...`. */
  readonly onRequest: (packet: PublishPacket, clientId: string) => void;
  /** A PUBLISH of the transfer client. */
  readonly onTransferPublish: (packet: PublishPacket) => void;
  /** The transfer client has subscribed. */
  readonly onTransferReady: () => void;
}

const FIRST_BYTE = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 };

/** A packet that is no PUBLISH. What is not here aedes does: CONNECT, PINGREQ, DISCONNECT, AUTH. */
export function handlePacket(parts: HandlerParts, connection: Connection, packet: Packet): void {
  switch (packet.cmd) {
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      handleAcknowledgement(connection, FIRST_BYTE[packet.cmd], packet.messageId!, packet.reasonCode ?? 0);
      break;
    case 'subscribe':
      handleSubscribe(parts, connection, packet as ISubscribePacket);
      break;
    case 'unsubscribe':
      handleUnsubscribe(parts, connection, packet as IUnsubscribePacket);
      break;
    default:
      connection.passOn(packet);
  }
}

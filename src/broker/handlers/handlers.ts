import type { ISubscribePacket, IUnsubscribePacket } from 'mqtt-packet';
import type { Packet } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import { PROTOCOL_ERROR } from '../packet-fault.js';
import { refuse } from '../refusal.js';
import { handleAcknowledgement } from './acks.js';
import { handleDisconnect } from './disconnect.js';
import type { HandlerParts } from './parts.js';
import { handleSubscribe } from './subscribe.js';
import { handleUnsubscribe } from './unsubscribe.js';

const FIRST_BYTE = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 };

/** A packet that is no PUBLISH, of a client that is connected. */
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
    case 'pingreq':
      connection.answerPing(parts.sessions.written(connection.session!));
      break;
    case 'disconnect':
      handleDisconnect(parts, connection, packet);
      break;
    default:
      refuse(connection.client, {
        text: `${packet.cmd} is not for a client to send now`,
        reason: PROTOCOL_ERROR,
      });
  }
}

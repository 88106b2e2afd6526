import type { ISubscribePacket, IUnsubscribePacket } from 'mqtt-packet';
import type { Packet } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import type { HandlerParts } from './parts.js';
import { handleSubscribe } from './subscribe.js';
import { handleUnsubscribe } from './unsubscribe.js';

/** A packet that is neither PUBLISH nor an acknowledgement. What is not here aedes does: CONNECT, PINGREQ, DISCONNECT, AUTH. */
export function handlePacket(parts: HandlerParts, connection: Connection, packet: Packet): void {
  switch (packet.cmd) {
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

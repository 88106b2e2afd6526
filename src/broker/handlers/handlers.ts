import type { ISubscribePacket, IUnsubscribePacket } from 'mqtt-packet';
import type { Packet } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import { protocolError } from '../packet-fault.js';
import { handleDisconnect } from './disconnect.js';
import type { HandlerParts } from './parts.js';
import { handleSubscribe } from './subscribe.js';
import { handleUnsubscribe } from './unsubscribe.js';

/** A packet that is neither PUBLISH nor an acknowledgement, of a client that is connected. */
export function handlePacket(parts: HandlerParts, connection: Connection, packet: Packet): void {
  switch (packet.cmd) {
    case 'subscribe':
      handleSubscribe(parts, connection, packet as ISubscribePacket);
      break;
    case 'unsubscribe':
      handleUnsubscribe(parts, connection, packet as IUnsubscribePacket);
      break;
    case 'pingreq':
      connection.answers.ping(parts.sessions.written(connection.session!));
      break;
    case 'disconnect':
      handleDisconnect(parts, connection, packet);
      break;
    default:
      connection.refuse(protocolError(`${packet.cmd} is not for a client to send now`));
  }
}

import type { IUnsubscribePacket } from 'mqtt-packet';
import { subscribedFault } from '../../topics.js';
import type { Connection } from '../connection.js';
import { writePacket } from '../packet-writer.js';
import type { HandlerParts } from './parts.js';

const TOPIC_FILTER_INVALID = 0x8f;
const NO_SUBSCRIPTION_EXISTED = 0x11;

/** UNSUBSCRIBE (MQTT 5 section 3.10). */
export function handleUnsubscribe(
  parts: HandlerParts,
  connection: Connection,
  packet: IUnsubscribePacket,
): void {
  const session = connection.session!;
  const granted = packet.unsubscriptions.map((filter) => {
    if (subscribedFault(filter) !== null) return TOPIC_FILTER_INVALID;
    return parts.sessions.unsubscribe(session, filter) ? 0 : NO_SUBSCRIPTION_EXISTED;
  });
  connection.whenSafe(parts.sessions.written(session), () =>
    writePacket(connection, { cmd: 'unsuback', messageId: packet.messageId!, granted }),
  );
}

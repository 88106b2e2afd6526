import type { Packet } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import { writeAck } from '../packet-writer.js';

const PACKET_IDENTIFIER_NOT_FOUND = 0x92;

/** PUBACK, PUBCOMP and PUBREC: the client has the message, or is on its way to. */
export function handleAck({ client, outbox }: Connection, packet: Packet): void {
  const id = packet.messageId!;
  // A PUBREC with an error ends the exchange [MQTT-4.3.3-4].
  if (packet.cmd !== 'pubrec' || (packet.reasonCode ?? 0) >= 0x80) {
    outbox?.acknowledged(id);
  } else {
    const known = outbox?.received(id) === true;
    writeAck(client, 'pubrel', id, known ? 0 : PACKET_IDENTIFIER_NOT_FOUND);
  }
}

/** PUBREL: the packet identifier is free again [MQTT-4.3.3-11]. */
export function handlePubrel({ client, session }: Connection, packet: Packet): void {
  const known = session?.received.delete(packet.messageId!) === true;
  writeAck(client, 'pubcomp', packet.messageId!, known ? 0 : PACKET_IDENTIFIER_NOT_FOUND);
}

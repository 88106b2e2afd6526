import mqttPacket from 'mqtt-packet';
import type { AedesClient, Packet } from '../aedes-internals.js';
import type { Connection } from '../connection.js';

type Ack = 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';

const FIRST_BYTE: Record<Ack, number> = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 };
const PACKET_IDENTIFIER_NOT_FOUND = 0x92;

/** PUBACK, PUBREC, PUBREL or PUBCOMP. Reason code 0 may be left out (MQTT 5 section 3.4.2.1); MQTT 3 has none. */
export function writeAck(client: AedesClient, ack: Ack, id: number, code: number): void {
  const reason = client.version === 5 && code > 0;
  const packet = Buffer.allocUnsafe(reason ? 5 : 4);
  packet[0] = FIRST_BYTE[ack];
  packet[1] = reason ? 3 : 2;
  packet.writeUInt16BE(id, 2);
  if (reason) packet[4] = code;
  if (!client.conn.destroyed) client.conn.write(packet);
}

/** Any other packet. */
export function writePacket(client: AedesClient, packet: Packet): void {
  if (client.conn.destroyed) return;
  mqttPacket.writeToStream(packet, client.conn, { protocolVersion: client.version ?? 4 });
}

/** PUBACK, PUBCOMP and PUBREC: the client has the message, or is on its way to. */
export function handleAck(connection: Connection, packet: Packet): void {
  const { client, outbox, session } = connection;
  const id = packet.messageId!;
  const failed = packet.cmd === 'pubrec' && (packet.reasonCode ?? 0) >= 0x80;
  const last = packet.cmd !== 'pubrec' || failed;
  if (last) outbox?.acknowledged(id);
  if (session?.lasting) {
    // aedes keeps the stored queue.
    if (last && session.stored > 0) session.stored--;
    connection.passOn(packet);
  } else if (packet.cmd === 'pubrec' && !failed) {
    writeAck(client, 'pubrel', id, 0);
  }
}

/** PUBREL: the packet identifier is free again [MQTT-4.3.3-11]. */
export function handlePubrel(connection: Connection, packet: Packet): void {
  const known = connection.session?.received.delete(packet.messageId!) === true;
  writeAck(connection.client, 'pubcomp', packet.messageId!, known ? 0 : PACKET_IDENTIFIER_NOT_FOUND);
}

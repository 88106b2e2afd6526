import mqttPacket from 'mqtt-packet';
import type { AedesClient, Packet } from './aedes-internals.js';

type Ack = 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';

const FIRST_BYTE: Record<Ack, number> = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 };

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

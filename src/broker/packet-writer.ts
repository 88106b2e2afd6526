import mqttPacket from 'mqtt-packet';
import type { Packet } from './aedes-internals.js';
import type { Connection } from './connection.js';

/**
 * Any packet but PUBLISH and what acknowledges it. It cannot be left out: a client that takes none of its size
 * [MQTT-3.1.2-24] is let go.
 */
export function writePacket(connection: Connection, packet: Packet): void {
  const { client, output } = connection;
  const bytes = mqttPacket.generate(packet, { protocolVersion: client.version ?? 4 });
  if (bytes.length <= (client.maximumPacketSize ?? Number.POSITIVE_INFINITY)) {
    output.packet(bytes);
    return;
  }
  connection.ending ??= { code: null, reason: `it takes no packet as large as ${packet.cmd.toUpperCase()}` };
  client.close();
}

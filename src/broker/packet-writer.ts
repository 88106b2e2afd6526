import mqttPacket from 'mqtt-packet';
import type { Packet } from './aedes-internals.js';
import type { Connection } from './connection.js';

/** Any packet but PUBLISH and what acknowledges it. */
export function writePacket({ client, output }: Connection, packet: Packet): void {
  output.packet(mqttPacket.generate(packet, { protocolVersion: client.version ?? 4 }));
}

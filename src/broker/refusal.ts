import mqttPacket from 'mqtt-packet';
import type { AedesClient, Packet } from './aedes-internals.js';
import type { PacketFault } from './packet-fault.js';

/** Ends a connection for a fault; MQTT 5 is told why, MQTT 3 has no way to. */
export function refuse(client: AedesClient, { text, reason }: PacketFault): void {
  const error = new Error(text);
  if (client.version === 5) {
    client.broker.emit('clientError', client, error);
    client.disconnect({ reasonCode: reason });
  } else {
    client.emit('error', error);
  }
}

/** The same for the first packet, to which the answer is CONNACK (MQTT 5 section 4.13.1). */
export function refuseFirst(client: AedesClient, packet: Packet, { text, reason }: PacketFault): void {
  const error = new Error(text);
  if (packet.cmd === 'connect' && packet.protocolVersion === 5) {
    const connack = { cmd: 'connack', reasonCode: reason, sessionPresent: false } as const;
    client.conn.end(mqttPacket.generate(connack, { protocolVersion: 5 }), () => client.emit('error', error));
  } else {
    client.emit('error', error);
  }
}

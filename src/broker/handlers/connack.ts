import type { IConnackPacket } from 'mqtt-packet';
import type { Connection } from '../connection.js';
import { writePacket } from '../packet-writer.js';

/** What MQTT 3 has for the reason codes of MQTT 5 (MQTT 3.1.1 section 3.2.2.3). */
const RETURN_CODES = new Map([
  [0x84, 1],
  [0x85, 2],
  [0x88, 3],
  [0x89, 3],
  [0x97, 3],
  [0x9f, 3],
  [0x86, 4],
  [0x87, 5],
]);

/** CONNACK of a client that is let in. */
export function accept(
  connection: Connection,
  sessionPresent: boolean,
  properties: NonNullable<IConnackPacket['properties']>,
): void {
  if (connection.client.version === 5) {
    writePacket(connection, { cmd: 'connack', reasonCode: 0, sessionPresent, properties });
  } else {
    // MQTT 3.1 has no session present flag: the byte is reserved.
    const present = sessionPresent && connection.client.version === 4;
    writePacket(connection, { cmd: 'connack', returnCode: 0, sessionPresent: present });
  }
}

/** CONNACK of one that is not, and the end of its connection [MQTT-3.2.2-7]. `reason`: of MQTT 5. */
export function reject(connection: Connection, reason: number): void {
  const returnCode = RETURN_CODES.get(reason);
  if (connection.client.version === 5) {
    writePacket(connection, { cmd: 'connack', reasonCode: reason, sessionPresent: false });
  } else if (returnCode !== undefined) {
    writePacket(connection, { cmd: 'connack', returnCode, sessionPresent: false });
  }
  connection.end();
}

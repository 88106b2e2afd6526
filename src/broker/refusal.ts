import type { AedesClient } from './aedes-internals.js';
import type { Output } from './delivery/output.js';
import {
  CLIENT_IDENTIFIER_NOT_VALID,
  type PacketFault,
  UNSUPPORTED_PROTOCOL_VERSION,
} from './packet-fault.js';

const DISCONNECT = 0xe0;
const CONNACK = 0x20;
/** MQTT 3: identifier rejected. */
const IDENTIFIER_REJECTED = 2;

/** Ends a connection for a fault; MQTT 5 is told why, MQTT 3 has no way to (MQTT 5 section 4.13.1). */
export function refuse(client: AedesClient, output: Output, { text, reason }: PacketFault): void {
  const error = new Error(text);
  if (client.version !== 5 || reason === null || client.closed) {
    client.emit('error', error);
    return;
  }
  client.broker.emit('clientError', client, error);
  dismiss(client, output, reason);
}

/** Ends a connection that is in order; MQTT 5 is told why. */
export function dismiss(client: AedesClient, output: Output, reason: number): void {
  if (client.version !== 5 || !client.connected || client.closed) {
    client.close();
    return;
  }
  output.last(Buffer.of(DISCONNECT, 1, reason));
  setImmediate(() => client.close());
}

/**
 * The same for the first packet, to which the answer is CONNACK. Who asks for a protocol level that there is not gets
 * that of MQTT 5, whose reason code says so [MQTT-3.1.2-2].
 */
export function refuseFirst(client: AedesClient, version5: boolean, { text, reason }: PacketFault): void {
  const error = new Error(text);
  const answer = connack(version5, reason);
  if (answer === null) client.emit('error', error);
  else client.conn.end(answer, () => client.emit('error', error));
}

function connack(version5: boolean, reason: number | null): Buffer | null {
  if (reason === null) return null;
  if (version5 || reason === UNSUPPORTED_PROTOCOL_VERSION) return Buffer.of(CONNACK, 3, 0, reason, 0);
  return reason === CLIENT_IDENTIFIER_NOT_VALID ? Buffer.of(CONNACK, 2, 0, IDENTIFIER_REJECTED) : null;
}

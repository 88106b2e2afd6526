import type { IDisconnectPacket } from 'mqtt-packet';
import type { Connection } from '../connection.js';
import { PROTOCOL_ERROR } from '../packet-fault.js';
import { refuse } from '../refusal.js';
import { expiryWithin } from '../session.js';
import type { HandlerParts } from './parts.js';

/** DISCONNECT (MQTT 5 section 3.14). Every reason but 0 asks for the will [MQTT-3.14.4-3]. */
export function handleDisconnect(
  { limits, wills }: HandlerParts,
  connection: Connection,
  { reasonCode = 0, properties }: IDisconnectPacket,
): void {
  const session = connection.session!;
  const expiryInterval = properties?.sessionExpiryInterval;
  if (expiryInterval !== undefined) {
    if (session.expiryInterval === 0 && expiryInterval > 0) {
      const text = 'a session that was not to last cannot be made to (MQTT 5 section 3.14.2.2.2)';
      refuse(connection.client, { text, reason: PROTOCOL_ERROR });
      return;
    }
    session.expiryInterval = expiryWithin(expiryInterval, limits.sessionExpiry);
  }
  if (reasonCode === 0) wills.discard(session);
  connection.ending ??= { code: reasonCode, reason: 'the client said goodbye' };
  connection.client.close();
}

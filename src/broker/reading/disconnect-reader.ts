import type { IDisconnectPacket } from 'mqtt-packet';
import { unreadable } from '../packet-fault.js';
import type { Fields } from './fields.js';
import { DISCONNECT, readProperties } from './properties.js';

/** A client may say these (MQTT 5 section 3.14.2.1). */
const REASON_CODES: ReadonlySet<number> = new Set([
  0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
]);
// It goes in any case: there is nobody to answer to.
const BAD_REASON = unreadable('DISCONNECT has a reason code that clients do not have [MQTT-3.14.2-1]');

/** DISCONNECT (MQTT 5 section 3.14, MQTT 3.1.1 section 3.14). */
export function readDisconnect(fields: Fields, version5: boolean): IDisconnectPacket {
  const reasonCode = version5 && fields.left > 0 ? fields.byte() : 0;
  const found = version5 && fields.left > 0 ? readProperties(fields, DISCONNECT) : undefined;
  fields.close();
  if (!REASON_CODES.has(reasonCode)) fields.fail(BAD_REASON);
  return { cmd: 'disconnect', reasonCode, ...(found === undefined ? {} : { properties: found }) };
}

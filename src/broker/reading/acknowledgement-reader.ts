import { protocolError } from '../packet-fault.js';
import type { Fields } from './fields.js';
import { ACKNOWLEDGEMENT, readProperties } from './properties.js';

const NO_ID = protocolError('the packet identifier of an acknowledgement is 0 [MQTT-2.2.1-3]');
const BAD_REASON = protocolError('an acknowledgement has a reason code that it cannot have');

const PUBREL = 6;
/** PUBACK and PUBREC, MQTT 5 sections 3.4.2.1 and 3.5.2.1. */
const OF_PUBLISH: ReadonlySet<number> = new Set([0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]);
/** PUBREL and PUBCOMP, MQTT 5 sections 3.6.2.1 and 3.7.2.1. */
const OF_RELEASE: ReadonlySet<number> = new Set([0x00, 0x92]);

/**
 * PUBACK, PUBREC, PUBREL or PUBCOMP, by its first byte (MQTT 5 sections 3.4 to 3.7). What it says beyond identifier and
 * reason code nobody needs.
 */
export function readAcknowledgement(
  first: number,
  fields: Fields,
  version5: boolean,
): { id: number; reason: number } {
  const id = fields.twoBytes();
  if (id === 0) fields.fail(NO_ID);
  const reason = version5 && fields.left > 0 ? fields.byte() : 0;
  if (!(first >> 4 < PUBREL ? OF_PUBLISH : OF_RELEASE).has(reason)) fields.fail(BAD_REASON);
  if (version5 && fields.left > 0) readProperties(fields, ACKNOWLEDGEMENT);
  fields.close();
  return { id, reason };
}

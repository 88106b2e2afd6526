import type { IUnsubscribePacket } from 'mqtt-packet';
import { filterFault } from '../../topics.js';
import { malformed } from '../packet-fault.js';
import type { Fields } from './fields.js';
import { readProperties, UNSUBSCRIBE } from './properties.js';

const NO_ID = malformed('the packet identifier of UNSUBSCRIBE is 0 [MQTT-2.2.1-3]');
const NO_FILTER = malformed('UNSUBSCRIBE has no topic filter [MQTT-3.10.3-2]');

/** UNSUBSCRIBE (MQTT 5 section 3.10, MQTT 3.1.1 section 3.10). */
export function readUnsubscribe(fields: Fields, version5: boolean): IUnsubscribePacket {
  const messageId = fields.twoBytes();
  if (messageId === 0) fields.fail(NO_ID);
  if (version5) readProperties(fields, UNSUBSCRIBE);
  const unsubscriptions: string[] = [];
  if (fields.left === 0) fields.fail(NO_FILTER);
  while (fields.left > 0) {
    const filter = fields.text();
    const text = filterFault(filter);
    if (text !== null) fields.fail(malformed(text));
    unsubscriptions.push(filter);
  }
  return { cmd: 'unsubscribe', messageId, unsubscriptions };
}

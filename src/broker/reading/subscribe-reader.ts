import type { ISubscribePacket, ISubscription, QoS } from 'mqtt-packet';
import { filterFault } from '../../topics.js';
import { malformed, protocolError } from '../packet-fault.js';
import type { Fields } from './fields.js';
import { readProperties, SUBSCRIBE } from './properties.js';

const NO_ID = malformed('the packet identifier of SUBSCRIBE is 0 [MQTT-2.2.1-3]');
const NO_FILTER = malformed('SUBSCRIBE has no topic filter [MQTT-3.8.3-2]');
const BAD_OPTIONS = malformed('reserved bits of the subscription options are set [MQTT-3.8.3-5]');
const BAD_SHARE = protocolError(
  'a shared subscription is $share/<name>/<filter> [MQTT-4.8.2-1] [MQTT-4.8.2-2]',
);
const LOCAL_SHARE = protocolError('a shared subscription cannot be No Local [MQTT-3.8.3-4]');

const SHARE = '$share/';

/** SUBSCRIBE (MQTT 5 section 3.8, MQTT 3.1.1 section 3.8). */
export function readSubscribe(fields: Fields, version5: boolean): ISubscribePacket {
  const messageId = fields.twoBytes();
  if (messageId === 0) fields.fail(NO_ID);
  const found = version5 ? readProperties(fields, SUBSCRIBE) : undefined;
  const subscriptions: ISubscription[] = [];
  if (fields.left === 0) fields.fail(NO_FILTER);
  while (fields.left > 0) subscriptions.push(readSubscription(fields, version5));
  return {
    cmd: 'subscribe',
    messageId,
    subscriptions,
    ...(found === undefined ? {} : { properties: found }),
  };
}

/** MQTT 3 has a QoS where MQTT 5 has options (section 3.8.3.1). */
function readSubscription(fields: Fields, version5: boolean): ISubscription {
  const topic = fields.text();
  const options = fields.byte();
  const text = filterFault(topic);
  if (text !== null) fields.fail(malformed(text));
  const qos = (options & 3) as QoS;
  const rh = (options >> 4) & 3;
  if ((qos as number) === 3 || rh === 3 || options >= (version5 ? 0x40 : 4)) fields.fail(BAD_OPTIONS);
  const nl = (options & 4) !== 0;
  if (topic.startsWith(SHARE)) {
    if (!isShare(topic)) fields.fail(BAD_SHARE);
    else if (nl) fields.fail(LOCAL_SHARE);
  }
  return version5 ? { topic, qos, nl, rap: (options & 8) !== 0, rh } : { topic, qos };
}

function isShare(filter: string): boolean {
  const nameEnd = filter.indexOf('/', SHARE.length);
  const name = filter.slice(SHARE.length, nameEnd);
  return nameEnd > SHARE.length && nameEnd < filter.length - 1 && name !== '+';
}

import { topicFault } from '../../topics.js';
import {
  MALFORMED_PACKET,
  malformed,
  type PacketFault,
  PROTOCOL_ERROR,
  protocolError,
} from '../packet-fault.js';
import { ofPairs, type WithUserProperties } from '../user-properties.js';
import type { Fields } from './fields.js';

/** Properties by the names that mqtt-packet gives them. */
export interface Properties extends WithUserProperties {
  payloadFormatIndicator?: boolean;
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Buffer;
  subscriptionIdentifier?: number;
  sessionExpiryInterval?: number;
  authenticationMethod?: string;
  authenticationData?: Buffer;
  requestProblemInformation?: boolean;
  willDelayInterval?: number;
  requestResponseInformation?: boolean;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumPacketSize?: number;
}

/** Where properties stand that a client sends. */
export interface PropertyPlace {
  readonly name: string;
  readonly bit: number;
  /** Reason code for what does not belong there or has no such value. */
  readonly reason: number;
}

const place = (name: string, bit: number, reason = PROTOCOL_ERROR): PropertyPlace => ({ name, bit, reason });

export const CONNECT = place('CONNECT', 1);
export const WILL = place('a will', 2);
export const PUBLISH = place('PUBLISH', 4);
export const ACKNOWLEDGEMENT = place('an acknowledgement', 8);
export const SUBSCRIBE = place('SUBSCRIBE', 16, MALFORMED_PACKET);
export const UNSUBSCRIBE = place('UNSUBSCRIBE', 32, MALFORMED_PACKET);
export const DISCONNECT = place('DISCONNECT', 64);

const MESSAGE = WILL.bit | PUBLISH.bit;
const ALL = 127;
const SERVER_ONLY = 0;

type Value = number | boolean | string | Buffer;

interface Property {
  readonly name: string;
  readonly read: (fields: Fields) => Value;
  /** The bits of the places that it may stand in. */
  readonly places: number;
  /** Whether it may have a value; undefined: any. */
  readonly allows?: ((value: never) => boolean) | undefined;
}

const byte = (fields: Fields) => fields.byte();
const twoBytes = (fields: Fields) => fields.twoBytes();
const fourBytes = (fields: Fields) => fields.fourBytes();
const variable = (fields: Fields) => fields.variableByteInteger();
const text = (fields: Fields) => fields.text();
const data = (fields: Fields) => fields.data();

const zeroOrOne = (value: number) => value <= 1;
const positive = (value: number) => value > 0;
const topicName = (value: string) => topicFault(value) === null;

const USER_PROPERTY = 0x26;
const MESSAGE_EXPIRY_INTERVAL = 0x02;
const TOPIC_ALIAS = 0x23;

/** By identifier, MQTT 5 section 2.2.2.2; those that only servers send are to be read, too. */
const PROPERTIES: readonly (Property | undefined)[] = table({
  1: flag('payloadFormatIndicator', MESSAGE),
  [MESSAGE_EXPIRY_INTERVAL]: { name: 'messageExpiryInterval', read: fourBytes, places: MESSAGE },
  3: { name: 'contentType', read: text, places: MESSAGE },
  8: { name: 'responseTopic', read: text, places: MESSAGE, allows: topicName },
  9: { name: 'correlationData', read: data, places: MESSAGE },
  11: { name: 'subscriptionIdentifier', read: variable, places: SUBSCRIBE.bit, allows: positive },
  17: { name: 'sessionExpiryInterval', read: fourBytes, places: CONNECT.bit | DISCONNECT.bit },
  18: { name: 'assignedClientIdentifier', read: text, places: SERVER_ONLY },
  19: { name: 'serverKeepAlive', read: twoBytes, places: SERVER_ONLY },
  21: { name: 'authenticationMethod', read: text, places: CONNECT.bit },
  22: { name: 'authenticationData', read: data, places: CONNECT.bit },
  23: flag('requestProblemInformation', CONNECT.bit),
  24: { name: 'willDelayInterval', read: fourBytes, places: WILL.bit },
  25: flag('requestResponseInformation', CONNECT.bit),
  26: { name: 'responseInformation', read: text, places: SERVER_ONLY },
  // Only servers have use for it; a client that goes may say what it likes.
  28: { name: 'serverReference', read: text, places: DISCONNECT.bit },
  31: { name: 'reasonString', read: text, places: ACKNOWLEDGEMENT.bit | DISCONNECT.bit },
  33: { name: 'receiveMaximum', read: twoBytes, places: CONNECT.bit, allows: positive },
  34: { name: 'topicAliasMaximum', read: twoBytes, places: CONNECT.bit },
  [TOPIC_ALIAS]: { name: 'topicAlias', read: twoBytes, places: PUBLISH.bit },
  36: { name: 'maximumQoS', read: byte, places: SERVER_ONLY },
  37: { name: 'retainAvailable', read: byte, places: SERVER_ONLY },
  [USER_PROPERTY]: { name: 'userProperties', read: text, places: ALL },
  39: { name: 'maximumPacketSize', read: fourBytes, places: CONNECT.bit, allows: positive },
  40: { name: 'wildcardSubscriptionAvailable', read: byte, places: SERVER_ONLY },
  41: { name: 'subscriptionIdentifiersAvailable', read: byte, places: SERVER_ONLY },
  42: { name: 'sharedSubscriptionAvailable', read: byte, places: SERVER_ONLY },
});

const UNKNOWN = malformed('there is no such property');
const BEYOND = malformed('the properties are longer than the packet');

/**
 * Reads the properties of a packet, with their length (MQTT 5 section 2.2.2). All of them must be readable before it
 * counts what they are. undefined: there are none, or a fault.
 */
export function readProperties(
  fields: Fields,
  { name: place, bit, reason }: PropertyPlace,
): Properties | undefined {
  const length = fields.variableByteInteger();
  fields.propertiesAt = fields.at;
  fields.expiryAt = 0;
  fields.aliasAt = 0;
  if (length === 0) return undefined;
  if (length > fields.left) {
    fields.fail(BEYOND);
    return undefined;
  }
  const { end } = fields;
  fields.end = fields.at + length;
  const properties: Record<string, unknown> = {};
  const pairs: string[] = [];
  let fault: PacketFault | null = null;
  while (fields.left > 0) {
    const id = fields.variableByteInteger();
    const property = PROPERTIES[id];
    if (property === undefined) {
      fields.fail(UNKNOWN);
      break;
    }
    const { name, places, allows } = property;
    if (id === USER_PROPERTY) {
      pairs.push(fields.text(), fields.text());
      continue;
    }
    if (id === MESSAGE_EXPIRY_INTERVAL) fields.expiryAt = fields.at;
    else if (id === TOPIC_ALIAS) fields.aliasAt = fields.at;
    const value = property.read(fields);
    if ((places & bit) === 0) fault ??= { text: `${name} does not belong to ${place}`, reason };
    else if (properties[name] !== undefined)
      fault ??= protocolError(`${name} of ${place} stands there twice`);
    else if (allows?.(value as never) === false)
      fault ??= { text: `${name} of ${place} has no such value`, reason };
    properties[name] = allows === zeroOrOne ? value === 1 : value;
  }
  if (pairs.length > 0) Object.assign(properties, ofPairs(pairs));
  fields.end = end;
  if (fault !== null) fields.fail(fault);
  return fields.fault === null ? (properties as Properties) : undefined;
}

function flag(name: string, places: number): Property {
  return { name, read: byte, places, allows: zeroOrOne };
}

function table(byId: Record<number, Property>): (Property | undefined)[] {
  const properties = new Array<Property | undefined>(128).fill(undefined);
  for (const [id, property] of Object.entries(byId)) properties[Number(id)] = property;
  return properties;
}

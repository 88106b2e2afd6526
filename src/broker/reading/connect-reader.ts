import type { IConnectPacket, QoS } from 'mqtt-packet';
import { hasControlCharacter, levelsFault, topicFault } from '../../topics.js';
import {
  CLIENT_IDENTIFIER_NOT_VALID,
  malformed,
  type PacketFault,
  protocolError,
  TOPIC_NAME_INVALID,
  UNSUPPORTED_PROTOCOL_VERSION,
} from '../packet-fault.js';
import type { Fields } from './fields.js';
import { CONNECT, readProperties, WILL } from './properties.js';

type Will = NonNullable<IConnectPacket['will']>;

const LEVELS: ReadonlyMap<string, readonly number[]> = new Map([
  ['MQTT', [4, 5]],
  ['MQIsdp', [3]],
]);
/** mosquitto's bridges add this to the protocol level of MQTT 3. */
const BRIDGE = 0x80;

const RESERVED = 0x01;
const CLEAN = 0x02;
const WILL_FLAG = 0x04;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USER_NAME = 0x80;

const BAD_NAME = malformed('the protocol name is neither MQTT nor MQIsdp [MQTT-3.1.2-1]');
const BAD_LEVEL = because('there is no such protocol level [MQTT-3.1.2-2]', UNSUPPORTED_PROTOCOL_VERSION);
const BAD_FLAGS = malformed('reserved flags of CONNECT are set [MQTT-3.1.2-3]');
const BAD_WILL = malformed('the will flags contradict each other [MQTT-3.1.2-11] [MQTT-3.1.2-12]');
const NO_USER = malformed('there is a password and no user name [MQTT-3.1.2-22]');
const NO_METHOD = protocolError('there is authentication data and no authentication method');
const NO_ID = because('the client identifier is empty [MQTT-3.1.3-8]', CLIENT_IDENTIFIER_NOT_VALID);
const BAD_ID = because(
  'the client identifier is not well-formed [MQTT-3.1.3-4]',
  CLIENT_IDENTIFIER_NOT_VALID,
);
const NO_WILL_TOPIC = protocolError('a topic name has at least one character [MQTT-4.7.3-1]');
const BAD_TEXT = malformed('a text has control characters [MQTT-1.5.4-1]');

/**
 * CONNECT (MQTT 5 section 3.1, MQTT 3.1.1 section 3.1, MQTT 3.1). Faults are answered if they are in the protocol level,
 * the properties, the client identifier, the will's topic or what is left over, else not at all, as mosquitto does.
 */
export function readConnect(first: number, fields: Fields, mostLevels: number): IConnectPacket {
  fields.quiet = true;
  const protocolId = fields.text() as 'MQTT' | 'MQIsdp';
  const level = fields.byte();
  const version = (level & ~BRIDGE) as 3 | 4 | 5;
  const version5 = version === 5;
  const bridgeMode = (level & BRIDGE) !== 0;
  if (!LEVELS.has(protocolId)) fields.fail(BAD_NAME);
  fields.quiet = false;
  if (LEVELS.get(protocolId)?.includes(version) !== true || (bridgeMode && version5)) fields.fail(BAD_LEVEL);
  fields.quiet = true;
  const flags = fields.byte();
  const fault = flagsFault(first, flags, version);
  if (fault !== null) fields.fail(fault);
  const keepalive = fields.twoBytes();
  fields.quiet = false;
  const properties = version5 ? readProperties(fields, CONNECT) : undefined;
  if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    fields.fail(NO_METHOD);
  }
  const clean = (flags & CLEAN) !== 0;
  const clientId = readClientId(fields, version, clean);
  const will = (flags & WILL_FLAG) !== 0 ? readWill(fields, version5, flags, mostLevels) : undefined;
  fields.quiet = true;
  // MQTT 3.1 lets a client set a flag and leave out what it stands for.
  const has = (flag: number) => (flags & flag) !== 0 && (version > 3 || fields.left > 0);
  const username = has(USER_NAME) ? readText(fields) : undefined;
  const password = has(PASSWORD) ? fields.data() : undefined;
  fields.quiet = false;
  fields.close();
  return {
    cmd: 'connect',
    protocolId,
    protocolVersion: version,
    clean,
    keepalive,
    clientId,
    ...(bridgeMode ? { bridgeMode } : {}),
    ...(properties === undefined ? {} : { properties }),
    ...(will === undefined ? {} : { will }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

/** MQTT 3.1 says nothing of what is reserved. */
function flagsFault(first: number, flags: number, version: number): PacketFault | null {
  if (version > 3 && ((first & 15) !== 0 || (flags & RESERVED) !== 0)) return BAD_FLAGS;
  const qos = (flags >> 3) & 3;
  if (qos === 3) return BAD_WILL;
  if ((flags & WILL_FLAG) === 0 && (qos > 0 || (flags & WILL_RETAIN) !== 0)) return BAD_WILL;
  return version < 5 && (flags & PASSWORD) !== 0 && (flags & USER_NAME) === 0 ? NO_USER : null;
}

/** Only MQTT 5, and MQTT 3.1.1 with a clean session, let a client be without one. */
function readClientId(fields: Fields, version: number, clean: boolean): string {
  const sound = fields.fault === null;
  fields.quiet = version < 5;
  const clientId = readText(fields);
  fields.quiet = false;
  if (version === 5 && sound && fields.fault !== null) fields.fault = BAD_ID;
  if (clientId === '' && (version === 3 || (version === 4 && !clean))) fields.fail(NO_ID);
  return clientId;
}

function readWill(fields: Fields, version5: boolean, flags: number, mostLevels: number): Will {
  const properties = version5 ? readProperties(fields, WILL) : undefined;
  fields.quiet = true;
  const topic = readText(fields);
  fields.quiet = false;
  const text = topicFault(topic) ?? levelsFault(topic, mostLevels);
  if (topic === '') fields.fail(NO_WILL_TOPIC);
  else if (text !== null) fields.fail(because(text, TOPIC_NAME_INVALID));
  fields.quiet = true;
  const payload = fields.data();
  fields.quiet = false;
  return {
    topic,
    payload,
    qos: ((flags >> 3) & 3) as QoS,
    retain: (flags & WILL_RETAIN) !== 0,
    ...(properties === undefined ? {} : { properties }),
  };
}

function readText(fields: Fields): string {
  const text = fields.text();
  if (hasControlCharacter(text)) fields.fail(BAD_TEXT);
  return text;
}

function because(text: string, reason: number): PacketFault {
  return { text, reason };
}

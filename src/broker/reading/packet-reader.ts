import type { Packet } from '../aedes-internals.js';
import { malformed, protocolError, unreadable } from '../packet-fault.js';
import { readDisconnect } from './disconnect-reader.js';
import type { Fields } from './fields.js';
import { readSubscribe } from './subscribe-reader.js';
import { readUnsubscribe } from './unsubscribe-reader.js';

const BAD_FLAGS = malformed('reserved flags of the fixed header are set [MQTT-2.1.3-1]');
const BAD_PING = unreadable('PINGREQ and PINGRESP have no length');
const SECOND_CONNECT = protocolError('CONNECT is sent once [MQTT-3.1.0-2]');
const NO_TYPE = protocolError('there is no packet type 0 (MQTT 5 section 2.1.2)');
const SERVER_ONLY = protocolError('a client does not send CONNACK, SUBACK, UNSUBACK or PINGRESP');
const NO_AUTH = protocolError('AUTH follows a CONNECT with an authentication method only [MQTT-4.12.0-7]');

/** What the lower half of the first byte is (MQTT 5 section 2.1.3), by packet type. PUBLISH is none of these. */
const FLAGS = [0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0];
const CONNECT = 1;
const CONNACK = 2;
const PINGREQ = 12;
const PINGRESP = 13;
const AUTH = 15;

/** A packet that came after CONNECT and is neither PUBLISH nor an acknowledgement. null: see the fault of `fields`. */
export function readPacket(first: number, fields: Fields, version5: boolean): Packet | null {
  switch (first) {
    case 0x82:
      return readSubscribe(fields, version5);
    case 0xa2:
      return readUnsubscribe(fields, version5);
    case 0xc0:
      if (fields.left > 0) break;
      return { cmd: 'pingreq' };
    case 0xe0:
      return readDisconnect(fields, version5);
  }
  return refuse(first, fields);
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP, with the flags that they have. */
export function isAcknowledgement(first: number): boolean {
  return first === 0x40 || first === 0x50 || first === 0x62 || first === 0x70;
}

/** The first byte of a packet as it should be. */
export function withFlags(first: number): number {
  return (first & 0xf0) | FLAGS[first >> 4];
}

function refuse(first: number, fields: Fields): null {
  const type = first >> 4;
  if (type === 0) fields.fail(NO_TYPE);
  else if (type === CONNACK) fields.fail(SERVER_ONLY);
  else if (type === AUTH) fields.fail(NO_AUTH);
  else if (first !== withFlags(first)) fields.fail(BAD_FLAGS);
  else if ((type === PINGREQ || type === PINGRESP) && fields.left > 0) fields.fail(BAD_PING);
  else fields.fail(type === CONNECT ? SECOND_CONNECT : SERVER_ONLY);
  return null;
}

/** The first byte and the remaining length of every packet, before and after CONNECT (MQTT 5 section 2.1). */
import { packet, properties, text } from '../raw-packet.js';
import { type Case, conforms, refused, refusedConnect, VERSIONS, type Version } from './cases.js';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;

const CONNECT = 1;
const CONNACK = 2;
const PUBLISH = 3;
const PINGREQ = 12;
const PINGRESP = 13;
const DISCONNECT = 14;
const AUTH = 15;

/** By packet type, what is to be in the lower half of the first byte. */
const FLAGS = [0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0];
/** Packets that MQTT 3.1 gives no flags, and DUP to some of. */
const SERVER_ONLY = [CONNACK, 9, 11, PINGRESP];

/** Something well-formed of every type. */
function body(type: number, version: Version): Buffer {
  const none = version === 5 ? properties() : Buffer.alloc(0);
  const id = Buffer.of(0, 1);
  switch (type) {
    case CONNECT:
      return Buffer.concat([text('MQTT'), Buffer.of(version, 2, 0, 0), none, text('c')]);
    case CONNACK:
      return Buffer.concat([Buffer.of(0, 0), none]);
    case PUBLISH:
      return Buffer.concat([text('t'), none]);
    case 8:
      return Buffer.concat([id, none, text('t'), Buffer.of(0)]);
    case 9:
      return Buffer.concat([id, none, Buffer.of(0)]);
    case 10:
      return Buffer.concat([id, none, text('t')]);
    case 11:
      return Buffer.concat([id, none]);
    case PINGREQ:
    case PINGRESP:
    case DISCONNECT:
    case AUTH:
      return Buffer.alloc(0);
    default:
      return id;
  }
}

/** The reason that a first byte alone is refused with; undefined: there is none. */
function reasonFor(first: number, version: Version): number | undefined {
  const type = first >> 4;
  const flags = first & 15;
  if (type === 0 || type === CONNACK || type === AUTH) return PROTOCOL_ERROR;
  if (type !== PUBLISH && version > 3 && flags !== FLAGS[type]) return MALFORMED;
  if (type === PUBLISH && ((flags & 6) === 6 || (flags & 14) === 8)) return MALFORMED;
  // Cut short: QoS 1 or 2 without an identifier, or with half of one.
  if (type === PUBLISH && (flags & 6) > 0) return MALFORMED;
  return type === CONNECT || SERVER_ONLY.includes(type) ? PROTOCOL_ERROR : undefined;
}

function* firstBytes(): Generator<Case> {
  for (const version of VERSIONS) {
    for (let first = 0; first < 256; first++) {
      const bytes = packet(first, body(first >> 4, version));
      const name = `first byte ${first.toString(16)}`;
      const reason = reasonFor(first, version);
      if (reason !== undefined) yield refused(name, version, bytes, reason);
      if (first >> 4 !== CONNECT)
        yield refusedConnect(`${name} before CONNECT, MQTT ${version}`, bytes, null);
    }
  }
}

/** Types whose packets have no body are not refused with a word if they have one: it is not known what follows. */
function* lengths(): Generator<Case> {
  for (const version of VERSIONS) {
    for (let type = 1; type < 16; type++) {
      const first = (type << 4) | FLAGS[type];
      const five = Buffer.concat([Buffer.of(first, 0x80, 0x80, 0x80, 0x80, 1), body(type, version)]);
      yield refused(`type ${type} with a length of five bytes`, version, five, null);
      if (type === CONNECT) yield refusedConnect(`CONNECT with a length of five bytes`, five, null);
    }
    for (const type of [PINGREQ, PINGRESP]) {
      yield refused(`type ${type} with a body`, version, packet(type << 4, 0), null);
    }
    yield refused('DISCONNECT with too much', version, packet(0xe0, 0, 0, 0), MALFORMED);
    for (const bytes of [[0x0a], [0x00, 0xc0], [0x00, 0xff, 0xff, 0xff, 0xff, 1], [0x0f, 5]]) {
      yield refused(`type 0 that is not whole, ${bytes}`, version, Buffer.from(bytes), PROTOCOL_ERROR);
    }
  }
  // MQTT 5 wants a length as short as it can be [MQTT-1.5.5-1].
  for (const bytes of [
    [0xc0, 0x80, 0],
    [0xe0, 0x80, 0x80, 0],
    [0x40, 0x82, 0, 0, 1],
  ]) {
    yield refused(`a length that is too long, ${bytes}`, 5, Buffer.from(bytes), null);
  }
}

conforms('first bytes', [...firstBytes()]);
conforms('remaining lengths', [...lengths()]);

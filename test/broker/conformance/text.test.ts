/** What a text may be made of, wherever there is one (MQTT 5 section 1.5.4). */
import { packet, properties, text } from '../raw-packet.js';
import {
  accepted,
  acceptedConnect,
  type Case,
  clientId,
  conforms,
  refused,
  refusedConnect,
  VERSIONS,
  type Version,
} from './cases.js';

const MALFORMED = 0x81;
const ID = Buffer.of(0, 7);

/** No UTF-8, or NUL: nowhere. */
const ILL_FORMED: Readonly<Record<string, number[]>> = {
  NUL: [0],
  'a continuation alone': [0x80],
  'a lead byte alone': [0xc3],
  'a lead byte and ASCII': [0xc3, 0x28],
  'an overlong slash': [0xc0, 0xaf],
  'an overlong NUL': [0xc0, 0x80],
  'an overlong character of three bytes': [0xe0, 0x80, 0xaf],
  'an overlong character of four bytes': [0xf0, 0x80, 0x80, 0xaf],
  'U+D800': [0xed, 0xa0, 0x80],
  'U+DFFF': [0xed, 0xbf, 0xbf],
  'a surrogate pair': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  'U+110000': [0xf4, 0x90, 0x80, 0x80],
  'five bytes': [0xf8, 0x88, 0x80, 0x80, 0x80],
  'FE FF': [0xfe, 0xff],
};

/** Control characters and code points that are no characters: not in names. */
const NOT_IN_NAMES: readonly number[] = [
  ...Array.from({ length: 0x1f }, (_, i) => 1 + i),
  ...Array.from({ length: 0x21 }, (_, i) => 0x7f + i),
  0xfdd0,
  0xfdef,
  ...Array.from({ length: 17 }, (_, plane) => [plane * 0x10000 + 0xfffe, plane * 0x10000 + 0xffff]).flat(),
];

const FINE = ['ä', '€', '😀', ' ', '\u{a0}', '\u{2a6d4}', '\u{feff}', '\u{fffd}', '\u{e000}', '\u{10fffd}'];

interface Place {
  readonly name: string;
  readonly versions: readonly Version[];
  readonly make: (text: Buffer, version: Version) => Buffer;
  /** Whether control characters are not for it. */
  readonly isName: boolean;
  /** What is well-formed is answered with it. */
  readonly answer: (version: Version) => Buffer;
  readonly connect?: 'id' | 'other';
}

const none = (version: Version) => (version === 5 ? properties() : Buffer.alloc(0));
const sized = (bytes: Buffer) => Buffer.concat([Buffer.of(bytes.length), bytes]);
const head = (version: Version, flags: number) => [
  text(version === 3 ? 'MQIsdp' : 'MQTT'),
  version,
  flags,
  0,
  0,
  none(version),
];
const nothing = () => Buffer.alloc(0);
const inPublish = (id: number) => (value: Buffer) =>
  packet(0x30, text('t'), sized(Buffer.concat([Buffer.of(id), value])), 'x');

const PLACES: readonly Place[] = [
  {
    name: 'topic name',
    versions: VERSIONS,
    make: (value, version) => packet(0x30, value, none(version), 'x'),
    isName: true,
    answer: nothing,
  },
  {
    name: 'topic filter',
    versions: VERSIONS,
    make: (value, version) => packet(0x82, ID, none(version), value, 0),
    isName: true,
    answer: (version) => (version === 5 ? Buffer.of(0x90, 4, 0, 7, 0, 0) : Buffer.of(0x90, 3, 0, 7, 0)),
  },
  {
    name: 'topic filter of UNSUBSCRIBE',
    versions: VERSIONS,
    make: (value, version) => packet(0xa2, ID, none(version), value),
    isName: true,
    answer: (version) => (version === 5 ? Buffer.of(0xb0, 4, 0, 7, 0, 0x11) : Buffer.of(0xb0, 2, 0, 7)),
  },
  {
    name: 'client identifier',
    versions: VERSIONS,
    make: (value, version) => packet(0x10, ...head(version, 2), value),
    isName: true,
    answer: nothing,
    connect: 'id',
  },
  {
    name: 'user name',
    versions: VERSIONS,
    make: (value, version) => packet(0x10, ...head(version, 0x82), clientId(), value),
    isName: true,
    answer: nothing,
    connect: 'other',
  },
  {
    name: 'topic of a will',
    versions: VERSIONS,
    make: (value, version) => packet(0x10, ...head(version, 6), clientId(), none(version), value, text('x')),
    isName: true,
    answer: nothing,
    connect: 'other',
  },
  { name: 'content type', versions: [5], make: inPublish(3), isName: false, answer: nothing },
  {
    name: 'name of a user property',
    versions: [5],
    make: (value) => inPublish(0x26)(Buffer.concat([value, text('v')])),
    isName: false,
    answer: nothing,
  },
  {
    name: 'value of a user property',
    versions: [5],
    make: (value) => inPublish(0x26)(Buffer.concat([text('n'), value])),
    isName: false,
    answer: nothing,
  },
  {
    name: 'reason string',
    versions: [5],
    make: (value) => packet(0x40, ID, 0, sized(Buffer.concat([Buffer.of(0x1f), value]))),
    isName: false,
    answer: nothing,
  },
];

function refusal({ name, make, connect }: Place, what: string, bytes: Buffer, version: Version): Case {
  const one = make(bytes, version);
  const title = `${name} with ${what}`;
  if (connect === undefined) return refused(title, version, one, MALFORMED);
  const reason = connect === 'id' && version === 5 ? 0x85 : null;
  return refusedConnect(`${title}, MQTT ${version}`, one, reason);
}

function acceptance(
  { name, make, connect, answer }: Place,
  what: string,
  bytes: Buffer,
  version: Version,
): Case {
  const one = make(bytes, version);
  const title = `${name} with ${what}`;
  if (connect === undefined) return accepted(title, version, one, answer(version));
  return acceptedConnect(`${title}, MQTT ${version}`, one);
}

let unique = 0;

/** In the middle of a text that nothing else is called. */
function around(bytes: Buffer): Buffer {
  unique++;
  const value = Buffer.concat([Buffer.from(`${unique}a`), bytes, Buffer.from('b')]);
  return Buffer.concat([Buffer.of(0, value.length), value]);
}

function* cases(): Generator<Case> {
  for (const place of PLACES) {
    for (const version of place.versions) {
      for (const [what, bytes] of Object.entries(ILL_FORMED)) {
        yield refusal(place, what, around(Buffer.from(bytes)), version);
      }
      for (const point of NOT_IN_NAMES) {
        const bytes = around(Buffer.from(String.fromCodePoint(point)));
        const what = `U+${point.toString(16)}`;
        if (place.isName) yield refusal(place, what, bytes, version);
        else yield acceptance(place, what, bytes, version);
      }
      for (const one of FINE) yield acceptance(place, one, around(Buffer.from(one)), version);
    }
  }
}

/** A Response Topic is a topic name. */
function* responseTopics(): Generator<Case> {
  for (const point of NOT_IN_NAMES) {
    const bytes = around(Buffer.from(String.fromCodePoint(point)));
    yield refused(`response topic with U+${point.toString(16)}`, 5, inPublish(8)(bytes), 0x82);
  }
  for (const [what, bytes] of Object.entries(ILL_FORMED)) {
    yield refused(`response topic with ${what}`, 5, inPublish(8)(around(Buffer.from(bytes))), MALFORMED);
  }
}

/** Password, correlation data, and payloads are any bytes. */
function* binary(): Generator<Case> {
  for (const [what, ill] of Object.entries(ILL_FORMED)) {
    const bytes = Buffer.from(ill);
    const data = Buffer.concat([Buffer.of(0, bytes.length), bytes]);
    for (const version of VERSIONS) {
      yield accepted(`payload with ${what}`, version, packet(0x30, text('t'), none(version), bytes));
      const connect = packet(0x10, ...head(version, 0xc2), clientId(), text('u'), data);
      yield acceptedConnect(`password with ${what}, MQTT ${version}`, connect);
      const will = packet(0x10, ...head(version, 6), clientId(), none(version), text('w'), data);
      yield acceptedConnect(`payload of a will with ${what}, MQTT ${version}`, will);
    }
    yield accepted(`correlation data with ${what}`, 5, inPublish(9)(data));
  }
}

conforms('texts', [...cases()]);
conforms('response topics', [...responseTopics()]);
conforms('binary data', [...binary()]);

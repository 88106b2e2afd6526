/** Every property, and every identifier that is none, in every packet that has properties: there, cut short, twice. */
import { packet, text } from '../raw-packet.js';
import {
  accepted,
  acceptedConnect,
  type Case,
  clientId,
  conforms,
  refused,
  refusedConnect,
} from './cases.js';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;

interface Known {
  readonly id: number;
  readonly name: string;
  /** A valid value; of every length below it nothing can be read. */
  readonly value: Buffer;
  /** Packets that a client may send it in. */
  readonly places: readonly string[];
}

const BYTE = Buffer.of(1);
const TWO = Buffer.of(0, 5);
const FOUR = Buffer.of(0, 0, 0, 5);
const TEXT = text('p');
const PAIR = Buffer.concat([text('p'), text('q')]);
const MESSAGE = ['PUBLISH', 'will'];
const ACKNOWLEDGEMENTS = ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'];

/** MQTT 5, table 2-4. */
const KNOWN: readonly Known[] = [
  { id: 0x01, name: 'Payload Format Indicator', value: BYTE, places: MESSAGE },
  { id: 0x02, name: 'Message Expiry Interval', value: FOUR, places: MESSAGE },
  { id: 0x03, name: 'Content Type', value: TEXT, places: MESSAGE },
  { id: 0x08, name: 'Response Topic', value: TEXT, places: MESSAGE },
  { id: 0x09, name: 'Correlation Data', value: TEXT, places: MESSAGE },
  { id: 0x0b, name: 'Subscription Identifier', value: BYTE, places: ['SUBSCRIBE'] },
  { id: 0x11, name: 'Session Expiry Interval', value: Buffer.alloc(4), places: ['CONNECT', 'DISCONNECT'] },
  { id: 0x12, name: 'Assigned Client Identifier', value: TEXT, places: [] },
  { id: 0x13, name: 'Server Keep Alive', value: TWO, places: [] },
  { id: 0x15, name: 'Authentication Method', value: TEXT, places: ['CONNECT'] },
  { id: 0x16, name: 'Authentication Data', value: TEXT, places: ['CONNECT'] },
  { id: 0x17, name: 'Request Problem Information', value: BYTE, places: ['CONNECT'] },
  { id: 0x18, name: 'Will Delay Interval', value: FOUR, places: ['will'] },
  { id: 0x19, name: 'Request Response Information', value: BYTE, places: ['CONNECT'] },
  { id: 0x1a, name: 'Response Information', value: TEXT, places: [] },
  { id: 0x1c, name: 'Server Reference', value: TEXT, places: ['DISCONNECT'] },
  { id: 0x1f, name: 'Reason String', value: TEXT, places: [...ACKNOWLEDGEMENTS, 'DISCONNECT'] },
  { id: 0x21, name: 'Receive Maximum', value: TWO, places: ['CONNECT'] },
  { id: 0x22, name: 'Topic Alias Maximum', value: TWO, places: ['CONNECT'] },
  { id: 0x23, name: 'Topic Alias', value: TWO, places: ['PUBLISH'] },
  { id: 0x24, name: 'Maximum QoS', value: BYTE, places: [] },
  { id: 0x25, name: 'Retain Available', value: BYTE, places: [] },
  {
    id: 0x26,
    name: 'User Property',
    value: PAIR,
    places: [...MESSAGE, ...ACKNOWLEDGEMENTS, 'CONNECT', 'SUBSCRIBE', 'UNSUBSCRIBE', 'DISCONNECT'],
  },
  { id: 0x27, name: 'Maximum Packet Size', value: Buffer.of(0, 1, 0, 0), places: ['CONNECT'] },
  { id: 0x28, name: 'Wildcard Subscription Available', value: BYTE, places: [] },
  { id: 0x29, name: 'Subscription Identifier Available', value: BYTE, places: [] },
  { id: 0x2a, name: 'Shared Subscription Available', value: BYTE, places: [] },
];

/** A packet with properties, how it is refused, and what it is answered with if all is well. */
interface Place {
  readonly name: string;
  readonly make: (properties: Buffer) => Buffer;
  /** Reason code of what does not belong there or has no such value. */
  readonly misplaced: number;
  /** null: the client goes. */
  readonly answer: Buffer | null;
}

const id = Buffer.of(0, 7);
const sized = (bytes: Buffer) => Buffer.concat([Buffer.of(bytes.length), bytes]);

const PLACES: readonly Place[] = [
  {
    name: 'PUBLISH',
    make: (bytes) => packet(0x32, text('t'), id, sized(bytes), 'x'),
    misplaced: PROTOCOL_ERROR,
    answer: Buffer.of(0x40, 3, 0, 7, 0x10),
  },
  {
    name: 'PUBACK',
    make: (bytes) => packet(0x40, id, 0, sized(bytes)),
    misplaced: PROTOCOL_ERROR,
    answer: Buffer.alloc(0),
  },
  {
    name: 'PUBREC',
    make: (bytes) => packet(0x50, id, 0, sized(bytes)),
    misplaced: PROTOCOL_ERROR,
    answer: Buffer.of(0x62, 2, 0, 7),
  },
  {
    name: 'PUBREL',
    make: (bytes) => packet(0x62, id, 0, sized(bytes)),
    misplaced: PROTOCOL_ERROR,
    answer: Buffer.of(0x70, 2, 0, 7),
  },
  {
    name: 'PUBCOMP',
    make: (bytes) => packet(0x70, id, 0, sized(bytes)),
    misplaced: PROTOCOL_ERROR,
    answer: Buffer.alloc(0),
  },
  {
    name: 'SUBSCRIBE',
    make: (bytes) => packet(0x82, id, sized(bytes), text('unpublished'), 0),
    misplaced: MALFORMED,
    answer: Buffer.of(0x90, 4, 0, 7, 0, 0),
  },
  {
    name: 'UNSUBSCRIBE',
    make: (bytes) => packet(0xa2, id, sized(bytes), text('s')),
    misplaced: MALFORMED,
    answer: Buffer.of(0xb0, 4, 0, 7, 0, 0x11),
  },
  {
    name: 'DISCONNECT',
    make: (bytes) => packet(0xe0, 0, sized(bytes)),
    misplaced: PROTOCOL_ERROR,
    answer: null,
  },
  {
    name: 'CONNECT',
    make: (bytes) => packet(0x10, text('MQTT'), 5, 2, 0, 0, sized(bytes), clientId()),
    misplaced: PROTOCOL_ERROR,
    answer: null,
  },
  {
    name: 'will',
    make: (bytes) =>
      packet(0x10, text('MQTT'), 5, 6, 0, 0, 0, clientId(), sized(bytes), text('w'), text('x')),
    misplaced: PROTOCOL_ERROR,
    answer: null,
  },
];

function refusal({ name, make }: Place, what: string, properties: Buffer, reason: number): Case {
  const bytes = make(properties);
  const title = `${name} with ${what}`;
  const first = name === 'CONNECT' || name === 'will';
  return first ? refusedConnect(title, bytes, reason) : refused(title, 5, bytes, reason);
}

function acceptance({ name, make, answer }: Place, what: string, properties: Buffer): Case {
  const bytes = make(properties);
  const title = `${name} with ${what}`;
  if (answer !== null) return accepted(title, 5, bytes, answer);
  return name === 'DISCONNECT' ? refused(title, 5, bytes, null) : acceptedConnect(title, bytes);
}

function* knownCases(): Generator<Case> {
  for (const place of PLACES) {
    for (const { id, name, value, places } of KNOWN) {
      const whole = Buffer.concat([Buffer.of(id), value]);
      const allowed = places.includes(place.name);
      // There is no method that is supported, and no data without one.
      const authentication = place.name === 'CONNECT' && name.startsWith('Authentication');
      if (authentication) yield refusal(place, name, whole, name.endsWith('Data') ? PROTOCOL_ERROR : 0x8c);
      else if (allowed) yield acceptance(place, name, whole);
      else yield refusal(place, name, whole, place.misplaced);
      for (let bytes = 0; bytes < value.length; bytes++) {
        const cut = whole.subarray(0, 1 + bytes);
        yield refusal(place, `${bytes} bytes of ${name}`, cut, MALFORMED);
        // Whether it belongs there counts only when it can be read.
        const misplaced = Buffer.concat([Buffer.of(0x24, 1), cut]);
        yield refusal(place, `Maximum QoS and ${bytes} bytes of ${name}`, misplaced, MALFORMED);
      }
      const twice = Buffer.concat([whole, whole]);
      if (name === 'User Property') yield acceptance(place, `${name} twice`, twice);
      else yield refusal(place, `${name} twice`, twice, allowed ? PROTOCOL_ERROR : place.misplaced);
    }
  }
}

/** An identifier is a variable byte integer, as short as it can be. */
function* unknownCases(): Generator<Case> {
  const identifiers = [
    [0x80, 0],
    [0x81, 0],
    [0x80, 1],
    [0xff, 0x7f],
    [0x80, 0x80, 1],
    [0xff, 0xff, 0x7f],
    [0x80, 0x80, 0x80, 1],
    [0xff, 0xff, 0xff, 0x7f],
    [0x80, 0x80, 0x80, 0x80, 1],
  ];
  for (let id = 0; id < 128; id++) if (!KNOWN.some((known) => known.id === id)) identifiers.push([id]);
  for (const place of PLACES) {
    for (const bytes of identifiers) {
      const what = `property ${Buffer.from(bytes).toString('hex')}`;
      yield refusal(place, what, Buffer.from([...bytes, 1]), MALFORMED);
    }
  }
}

/** Values that a property cannot have, and others that it can. */
function* valueCases(): Generator<Case> {
  const place = (name: string) => PLACES.find((one) => one.name === name)!;
  const bad: [string, number[], string[]][] = [
    ['Payload Format Indicator 2', [0x01, 2], MESSAGE],
    ['Request Problem Information 2', [0x17, 2], ['CONNECT']],
    ['Request Response Information 255', [0x19, 255], ['CONNECT']],
    ['Receive Maximum 0', [0x21, 0, 0], ['CONNECT']],
    ['Maximum Packet Size 0', [0x27, 0, 0, 0, 0], ['CONNECT']],
    ['Subscription Identifier 0', [0x0b, 0], ['SUBSCRIBE']],
    ['Response Topic of no length', [0x08, 0, 0], MESSAGE],
    ['Response Topic with #', [0x08, 0, 1, 0x23], MESSAGE],
    ['Response Topic with +', [0x08, 0, 3, 0x61, 0x2f, 0x2b], MESSAGE],
  ];
  for (const [what, bytes, names] of bad) {
    for (const name of names) yield refusal(place(name), what, Buffer.from(bytes), place(name).misplaced);
  }
  const good: [string, number[], string[]][] = [
    ['Payload Format Indicator 0', [0x01, 0], MESSAGE],
    ['Message Expiry Interval 0', [0x02, 0, 0, 0, 0], MESSAGE],
    ['the longest Message Expiry Interval', [0x02, 255, 255, 255, 255], MESSAGE],
    ['an empty Content Type', [0x03, 0, 0], MESSAGE],
    ['no Correlation Data', [0x09, 0, 0], MESSAGE],
    ['the longest Will Delay Interval', [0x18, 255, 255, 255, 255], ['will']],
    ['the longest Session Expiry Interval', [0x11, 255, 255, 255, 255], ['CONNECT']],
    ['the largest Maximum Packet Size', [0x27, 255, 255, 255, 255], ['CONNECT']],
    ['the largest Receive Maximum', [0x21, 255, 255], ['CONNECT']],
    ['Topic Alias Maximum 0', [0x22, 0, 0], ['CONNECT']],
    ['an empty Reason String', [0x1f, 0, 0], [...ACKNOWLEDGEMENTS, 'DISCONNECT']],
    ['a User Property without name', [0x26, 0, 0, 0, 1, 0x70], PLACES.map(({ name }) => name)],
    ['a User Property without value', [0x26, 0, 1, 0x70, 0, 0], PLACES.map(({ name }) => name)],
    ['a User Property of no length', [0x26, 0, 0, 0, 0], PLACES.map(({ name }) => name)],
    ['the largest Subscription Identifier', [0x0b, 255, 255, 255, 0x7f], ['SUBSCRIBE']],
    ['a Subscription Identifier of two bytes', [0x0b, 0x80, 1], ['SUBSCRIBE']],
  ];
  for (const [what, bytes, names] of good) {
    for (const name of names) yield acceptance(place(name), what, Buffer.from(bytes));
  }
  for (const bytes of [
    [0x80, 0],
    [0x80, 0x80, 0],
    [0x80, 0x80, 0x80, 0x80, 1],
  ]) {
    const what = `Subscription Identifier ${Buffer.from(bytes).toString('hex')}`;
    for (const name of ['SUBSCRIBE', 'PUBLISH']) {
      yield refusal(place(name), what, Buffer.from([0x0b, ...bytes]), MALFORMED);
    }
  }
}

/** The length of all properties. */
function* lengthCases(): Generator<Case> {
  for (const place of PLACES) {
    const raw = { ...place, make: (bytes: Buffer) => replaceLength(place.make(Buffer.of(0x26)), bytes) };
    for (const bytes of [
      [0x7f],
      [0x80, 1],
      [0xff, 0xff, 0xff, 0x7f],
      [0x80, 0],
      [0x80, 0x80, 0x80, 0x80, 1],
    ]) {
      const length = Buffer.from(bytes);
      yield refusal(raw, `a length of properties ${length.toString('hex')}`, length, MALFORMED);
    }
  }
}

/** Puts another length in front of the one property that is 0x26. */
function replaceLength(whole: Buffer, length: Buffer): Buffer {
  const at = whole.indexOf(Buffer.of(1, 0x26));
  return packet(whole[0], whole.subarray(2, at), length, whole.subarray(at + 2));
}

/** A server's packets are refused for what they are, whatever is in them. */
function* serverCases(): Generator<Case> {
  for (const { id, name, value } of KNOWN) {
    const whole = sized(Buffer.concat([Buffer.of(id), value]));
    const cut = sized(Buffer.of(id));
    for (const bytes of [whole, cut]) {
      for (const [cmd, one] of [
        ['CONNACK', packet(0x20, 0, 0, bytes)],
        ['SUBACK', packet(0x90, 0, 1, bytes, 0)],
        ['UNSUBACK', packet(0xb0, 0, 1, bytes, 0)],
        ['AUTH', packet(0xf0, 0x18, bytes)],
      ] as const) {
        yield refused(`${cmd} with ${name}`, 5, one, PROTOCOL_ERROR);
      }
    }
  }
}

conforms('properties that there are', [...knownCases()]);
conforms('properties that there are not', [...unknownCases()]);
conforms('values of properties', [...valueCases()]);
conforms('the length of properties', [...lengthCases()]);
conforms('packets of a server', [...serverCases()]);

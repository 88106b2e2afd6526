/** PUBACK, PUBREC, PUBREL and PUBCOMP: what they may say, and which message takes which (MQTT 5 sections 3.4 to 3.7, 4.3). */
import { packet, properties, text } from '../raw-packet.js';
import { accepted, type Case, conforms, refused, VERSIONS, type Version } from './cases.js';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const nothing = Buffer.alloc(0);
const none = (version: Version) => (version === 5 ? properties() : nothing);

interface Kind {
  readonly name: string;
  readonly first: number;
  readonly codes: readonly number[];
  /** What answers it if all is well; there is none if it tells of an error. */
  readonly answer: number | null;
}

const OF_PUBLISH = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const OF_RELEASE = [0x00, 0x92];

const KINDS: readonly Kind[] = [
  { name: 'PUBACK', first: 0x40, codes: OF_PUBLISH, answer: null },
  { name: 'PUBREC', first: 0x50, codes: OF_PUBLISH, answer: 0x62 },
  { name: 'PUBREL', first: 0x62, codes: OF_RELEASE, answer: 0x70 },
  { name: 'PUBCOMP', first: 0x70, codes: OF_RELEASE, answer: null },
];

/** Nobody waits for them: no fault, and answered all the same. */
function* unsolicited(): Generator<Case> {
  for (const { name, first, codes, answer } of KINDS) {
    const answered = (code: number) =>
      answer === null || (first === 0x50 && code >= 0x80) ? nothing : Buffer.of(answer, 2, 0, 1);
    for (const version of VERSIONS) {
      yield accepted(name, version, packet(first, 0, 1), answered(0));
      yield accepted(
        `${name} of the highest identifier`,
        version,
        packet(first, 255, 255),
        highest(answered(0)),
      );
      yield refused(`${name} of identifier 0`, version, packet(first, 0, 0), PROTOCOL_ERROR);
      yield refused(`${name} without identifier`, version, packet(first), MALFORMED);
      yield refused(`${name} with half an identifier`, version, packet(first, 1), MALFORMED);
    }
    for (const version of [3, 4] as const) {
      yield refused(`${name} with a reason code`, version, packet(first, 0, 1, 0), null);
    }
    for (let code = 0; code < 256; code++) {
      for (const rest of [nothing, properties()]) {
        const bytes = packet(first, 0, 1, code, rest);
        const title = `${name} with code ${code.toString(16)} ${rest.length}`;
        if (codes.includes(code)) yield accepted(title, 5, bytes, answered(code));
        else yield refused(title, 5, bytes, PROTOCOL_ERROR);
      }
    }
    yield refused(`${name} of identifier 0 with a code`, 5, packet(first, 0, 0, 0), PROTOCOL_ERROR);
    yield refused(`${name} with too much`, 5, packet(first, 0, 1, 0, 0, 0), MALFORMED);
    yield refused(`${name} with properties that are cut short`, 5, packet(first, 0, 1, 0, 1), MALFORMED);
  }
}

function highest(answer: Buffer): Buffer {
  return answer.length === 0 ? answer : Buffer.of(answer[0], 2, 255, 255);
}

/**
 * A client gets a message of its own and acknowledges it with one or more packets: whether the last of them fits. Its
 * own packet identifier, 9, has nothing to do with that.
 */
function* flows(): Generator<Case> {
  const ack = (first: number, code?: number) => packet(first, 0, 1, ...(code === undefined ? [] : [code]));
  const PUBACK = ack(0x40);
  const PUBREC = ack(0x50);
  const PUBCOMP = ack(0x70);
  const PUBREL = Buffer.of(0x62, 2, 0, 1);
  const flowsOf: [string, 1 | 2, Buffer[], Buffer[] | null][] = [
    ['PUBACK', 1, [PUBACK], []],
    ['PUBACK twice', 1, [PUBACK, PUBACK], []],
    ['PUBACK, then PUBREC of what is over', 1, [PUBACK, PUBREC], [PUBREL]],
    ['PUBREC', 1, [PUBREC], null],
    ['PUBCOMP', 1, [PUBCOMP], null],
    ['PUBREC, PUBCOMP', 2, [PUBREC, PUBCOMP], [PUBREL]],
    ['PUBREC twice', 2, [PUBREC, PUBREC, PUBCOMP], [PUBREL, PUBREL]],
    ['PUBACK', 2, [PUBACK], null],
    ['PUBCOMP', 2, [PUBCOMP], null],
    ['PUBREC, PUBACK', 2, [PUBREC, PUBACK], null],
    ['PUBREC, PUBCOMP twice', 2, [PUBREC, PUBCOMP, PUBCOMP], [PUBREL]],
  ];
  for (const version of VERSIONS) {
    for (const [name, qos, acks, expected] of flowsOf) yield flow(name, version, qos, acks, expected);
  }
  yield flow('PUBACK with an error', 5, 1, [ack(0x40, 0x80)], []);
  yield flow('PUBREC with an error', 5, 2, [ack(0x50, 0x80), PUBCOMP], []);
  yield flow('PUBREC with an error of QoS 1', 5, 1, [ack(0x50, 0x80)], null);
}

let topics = 0;

function flow(name: string, version: Version, qos: 1 | 2, acks: Buffer[], expected: Buffer[] | null): Case {
  topics++;
  const topic = text(`flow/${topics}`);
  const subscribe = packet(0x82, 0, 5, none(version), topic, qos);
  const suback = packet(0x90, 0, 5, none(version), qos);
  const first = 0x30 | (qos << 1);
  const sent = packet(first, topic, 0, 9, none(version), 'x');
  const received = packet(first, topic, 0, 1, none(version), 'x');
  const acknowledged = qos === 1 ? Buffer.of(0x40, 2, 0, 9) : Buffer.of(0x50, 2, 0, 9);
  const before = acks.slice(0, -1).flatMap((one) => (one[0] === 0x50 ? [Buffer.of(0x62, 2, 0, 1)] : []));
  const refusal = version === 5 ? [Buffer.of(0xe0, 1, PROTOCOL_ERROR)] : [];
  return {
    name: `QoS ${qos}: ${name}, MQTT ${version}`,
    connect: version,
    send: [subscribe, sent, ...acks],
    answer: Buffer.concat([suback, received, acknowledged, ...(expected ?? [...before, ...refusal])]),
    stays: expected !== null,
  };
}

conforms('acknowledgements of nothing', [...unsolicited()]);
conforms('acknowledgements of messages', [...flows()]);

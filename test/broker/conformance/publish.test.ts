/** PUBLISH: topic names, packet identifiers, topic aliases, payload format, and how it is acknowledged (MQTT 5 section 3.3). */
import { packet, properties, text } from '../raw-packet.js';
import { accepted, type Case, conforms, disconnect, refused, VERSIONS, type Version } from './cases.js';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const TOPIC_NAME_INVALID = 0x90;
const RECEIVE_MAXIMUM_EXCEEDED = 0x93;
const ALIAS_INVALID = 0x94;
const TOO_LARGE = 0x95;
const FORMAT_INVALID = 0x99;

const nothing = Buffer.alloc(0);
const none = (version: Version) => (version === 5 ? properties() : nothing);
const ID = Buffer.of(0x12, 0x34);

/** PUBACK or PUBREC when nobody has subscribed. */
function acknowledgement(version: Version, qos: number): Buffer {
  if (qos === 0) return nothing;
  if (qos === 1 && version === 5) return Buffer.of(0x40, 3, 0x12, 0x34, 0x10);
  return Buffer.of(qos === 1 ? 0x40 : 0x50, 2, 0x12, 0x34);
}

function* flagCases(): Generator<Case> {
  for (const version of VERSIONS) {
    for (let flags = 0; flags < 16; flags++) {
      const qos = (flags >> 1) & 3;
      const id = qos > 0 ? ID : nothing;
      for (const payload of ['', 'payload']) {
        const bytes = packet(0x30 | flags, text(`retained/${version}`), id, none(version), payload);
        const name = `PUBLISH ${(0x30 | flags).toString(16)} ${payload}`;
        const bad = qos === 3 || (qos === 0 && (flags & 8) !== 0);
        if (bad) yield refused(name, version, bytes, MALFORMED);
        else yield accepted(name, version, bytes, acknowledgement(version, qos));
      }
      if (qos === 1 || qos === 2) {
        const bytes = packet(0x30 | flags, text('t'), 0, 0, none(version), 'x');
        yield refused(
          `PUBLISH ${(0x30 | flags).toString(16)} with identifier 0`,
          version,
          bytes,
          PROTOCOL_ERROR,
        );
      }
    }
  }
}

function* topicCases(): Generator<Case> {
  for (const version of VERSIONS) {
    const publish = (topic: string) => packet(0x30, text(topic), none(version), 'x');
    for (const topic of ['', '+', '#', 'a/+', 'a/#', '+/a', 'a+b', 'a#b', '$share/+/a', '//#']) {
      yield refused(`topic ${topic}`, version, publish(topic), MALFORMED);
    }
    for (const topic of ['/', '//', ' ', 'a/ /b', '$share/a/b', '/a', 'a/', '$a', 'ä/€/😀', '/'.repeat(9)]) {
      yield accepted(`topic ${topic}`, version, publish(topic));
    }
    yield refused('topic with too many levels', version, publish('/'.repeat(10)), TOPIC_NAME_INVALID);
  }
}

/** Cut short at every byte, with the remaining length that it has then. */
function* cutCases(): Generator<Case> {
  for (const version of VERSIONS) {
    for (const qos of [0, 1, 2]) {
      const whole = packet(0x30 | (qos << 1), text('t'), qos > 0 ? ID : nothing, none(version));
      for (let length = 2; length < whole.length; length++) {
        const cut = Buffer.from(whole.subarray(0, length));
        cut[1] = length - 2;
        yield refused(`QoS ${qos}, ${length} bytes`, version, cut, MALFORMED);
      }
    }
  }
}

function steps(name: string, send: Buffer[], answer: Buffer[], stays = true): Case {
  return { name, connect: 5, send, answer: Buffer.concat(answer), stays };
}

const subscribe = (topic: string) => packet(0x82, 0, 1, properties(), text(topic), 0);
const SUBACK = Buffer.of(0x90, 4, 0, 1, 0, 0);
const alias = (n: number) => properties(0x23, n >> 8, n & 0xff);
const sized = (bytes: Buffer) => Buffer.concat([Buffer.of(bytes.length), bytes]);
const publish = (topic: string, props: Buffer, payload: string) => packet(0x30, text(topic), props, payload);

function* aliasCases(): Generator<Case> {
  for (const n of [0, 11, 256, 65_535]) {
    yield refused(`topic alias ${n}`, 5, publish('t', alias(n), 'x'), ALIAS_INVALID);
    yield refused(`topic alias ${n} without a topic`, 5, publish('', alias(n), 'x'), ALIAS_INVALID);
  }
  for (let n = 1; n <= 10; n++) {
    yield refused(`topic alias ${n} that stands for nothing`, 5, publish('', alias(n), 'x'), PROTOCOL_ERROR);
    const topic = `alias/${n}`;
    yield steps(
      `topic alias ${n}`,
      [
        subscribe(topic),
        publish(topic, alias(n), '1'),
        publish('', alias(n), '2'),
        publish('alias/other', alias(n), 'for nobody'),
        publish('', alias(n), 'for nobody'),
        publish(topic, alias(n), '3'),
        publish('', alias(n), '4'),
      ],
      [SUBACK, ...['1', '2', '3', '4'].map((payload) => publish(topic, properties(), payload))],
    );
  }
  yield steps(
    'a topic alias stays until it stands for another',
    [publish('t', alias(1), '1'), publish('', alias(1), '2'), publish('', alias(2), '3')],
    [disconnect(PROTOCOL_ERROR)],
    false,
  );
  yield refused('topic alias of a malformed topic', 5, publish('a/#', alias(1), 'x'), MALFORMED);
}

/** Properties that go to a subscriber do so unchanged and in order [MQTT-3.3.2-18]. */
function* passedOnCases(): Generator<Case> {
  const pair = (name: string, value: string) => Buffer.concat([Buffer.of(0x26), text(name), text(value)]);
  const all: [string, Buffer][] = [
    ['payload format', Buffer.of(1, 1)],
    ['content type', Buffer.concat([Buffer.of(3), text('text/plain')])],
    ['response topic', Buffer.concat([Buffer.of(8), text('a/b')])],
    ['correlation data', Buffer.concat([Buffer.of(9), Buffer.of(0, 3, 0, 255, 1)])],
    [
      'user properties',
      Buffer.concat([pair('b', '1'), pair('a', '2'), pair('7', '3'), pair('b', '4'), pair('__proto__', '5')]),
    ],
    ['an expiry', Buffer.of(2, 0, 0, 0, 9)],
  ];
  all.push(['all', Buffer.concat(all.map(([, bytes]) => bytes).reverse())]);
  for (const [name, bytes] of all) {
    const props = sized(bytes);
    const aliased = sized(Buffer.concat([bytes, Buffer.of(0x23, 0, 1)]));
    const identified = sized(Buffer.concat([bytes, Buffer.of(0x0b, 5)]));
    for (const [how, asked, sent, received] of [
      ['', properties(), props, props],
      [', with a topic alias', properties(), aliased, props],
      [', to a subscription with an identifier', properties(0x0b, 5), props, identified],
    ] as const) {
      const topic = `${name}${how}`;
      yield steps(
        topic,
        [packet(0x82, 0, 1, asked, text(topic), 0), publish(topic, sent, 'x')],
        [SUBACK, publish(topic, received, 'x')],
      );
    }
  }
}

function* formatCases(): Generator<Case> {
  const send = (format: number, payload: Buffer) => packet(0x30, text('t'), properties(1, format), payload);
  const bad = [Buffer.of(0xff), Buffer.of(0x61, 0xc3), Buffer.of(0xed, 0xa0, 0x80), Buffer.of(0xc0, 0x80)];
  for (const payload of bad) {
    yield refused(`payload ${payload.toString('hex')}`, 5, send(1, payload), FORMAT_INVALID);
    yield accepted(`payload ${payload.toString('hex')} of no format`, 5, send(0, payload));
  }
  for (const payload of ['', 'a', '\0', '😀'])
    yield accepted(`payload ${payload}`, 5, send(1, Buffer.from(payload)));
}

function* unasked(): Generator<Case> {
  yield accepted('a payload that is not looked at', 5, packet(0x30, text('t'), properties(1, 1), 0xff));
}

function* largeCases(): Generator<Case> {
  for (const version of VERSIONS) {
    const bytes = Buffer.concat([Buffer.of(0x30, 0xff, 0xff, 0x03), text('t')]);
    yield refused('a packet that is too large', version, bytes, TOO_LARGE);
  }
}

function* exactlyOnce(): Generator<Case> {
  for (const version of VERSIONS) {
    const send = (dup: number, payload: string) => packet(0x34 | dup, text('t'), ID, none(version), payload);
    const pubrec = Buffer.of(0x50, 2, 0x12, 0x34);
    const pubcomp = Buffer.of(0x70, 2, 0x12, 0x34);
    const pubrel = Buffer.of(0x62, 2, 0x12, 0x34);
    yield {
      name: `QoS 2 again and again, MQTT ${version}`,
      connect: version,
      send: [send(0, ''), send(8, ''), send(0, 'other'), pubrel, pubrel, send(0, 'next'), pubrel],
      answer: Buffer.concat([pubrec, pubrec, pubrec, pubcomp, pubcomp, pubrec, pubcomp]),
      stays: true,
    };
  }
}

/** Two may be in flight; what comes again or after PUBREL is not one too many. */
function* receiveMaximum(): Generator<Case> {
  for (const version of VERSIONS) {
    const send = (id: number) => packet(0x34, text('t'), 0, id, none(version));
    const pubrec = (id: number) => Buffer.of(0x50, 2, 0, id);
    const enough = [send(1), send(2), send(1), send(2), Buffer.of(0x62, 2, 0, 1), send(3)];
    const answer = [pubrec(1), pubrec(2), pubrec(1), pubrec(2), Buffer.of(0x70, 2, 0, 1), pubrec(3)];
    const name = `two messages of QoS 2, MQTT ${version}`;
    yield { name, connect: version, send: enough, answer: Buffer.concat(answer), stays: true };
    // MQTT 3 has no Receive Maximum, and no way to be told; we do not remember more all the same.
    const refusal = version === 5 ? disconnect(RECEIVE_MAXIMUM_EXCEEDED) : nothing;
    yield {
      name: `three messages of QoS 2, MQTT ${version}`,
      connect: version,
      send: [...enough, send(4)],
      answer: Buffer.concat([...answer, refusal]),
      stays: false,
    };
  }
}

conforms('flags of PUBLISH', [...flagCases()]);
conforms('topic names', [...topicCases()], { limits: { topicLevels: 10 } });
conforms('PUBLISH that is cut short', [...cutCases()]);
conforms('topic aliases', [...aliasCases()], { limits: { topicAliasMaximum: 10 } });
conforms('no topic aliases', [refused('topic alias 1', 5, publish('t', alias(1), 'x'), ALIAS_INVALID)], {
  limits: { topicAliasMaximum: 0 },
});
conforms('properties that are passed on', [...passedOnCases()]);
conforms('payload formats', [...formatCases()], { limits: { checkPayloadFormat: true } });
conforms('payload formats that are not looked at', [...unasked()]);
conforms('large packets', [...largeCases()], { limits: { packetBytes: 50_000 } });
conforms('QoS 2', [...exactlyOnce()]);
conforms('the Receive Maximum', [...receiveMaximum()], { limits: { receiveMaximum: 2 } });

/** PUBLISH as we read it where it lies, against mqtt-packet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import mqttPacket, { type IPublishPacket } from 'mqtt-packet';
import type { Message } from '../../../src/broker/delivery/message.js';
import { TopicTable } from '../../../src/broker/delivery/topic-table.js';
import { variantOf } from '../../../src/broker/delivery/variant.js';
import { FrameReader } from '../../../src/broker/reading/frame-reader.js';
import { PublishReader } from '../../../src/broker/reading/publish-reader.js';
import { generator } from '../../catalog/generator.js';
import { packet, text } from '../raw-packet.js';

const TOPICS = ['a', 'a/b', 'vehicle/can/7df', 'ä/€/😀', '__proto__', 'x'.repeat(300), '/', 'MQfile/x'];

/** All frames of `bytes`, read by one reader. */
function* read(
  bytes: Buffer,
  version5: boolean,
  levels = 100,
  limits = { topicAliasMaximum: 2, checkPayloadFormat: true },
): Generator<Message | PublishReader['fault']> {
  const frames = new FrameReader(1_000_000);
  const publishes = new PublishReader(new TopicTable(levels), limits);
  frames.feed(bytes);
  while (frames.next()) yield publishes.read(frames, version5) ?? publishes.fault;
}

function readOne(bytes: Buffer, version5: boolean, levels?: number): Message {
  const [message] = [...read(bytes, version5, levels)];
  return message as Message;
}

/** The bytes of a message as one subscriber gets it. */
function wire(message: Message, qos: 0 | 1 | 2, version5: boolean, retain = false): Buffer {
  const frame = message.frame(variantOf(version5, qos, retain, null));
  const head = frame.head.subarray(frame.start, frame.headEnd);
  return Buffer.concat([head, frame.payloadBuffer.subarray(frame.payloadAt, frame.payloadEnd)]);
}

for (const protocolVersion of [3, 4, 5] as const) {
  const version5 = protocolVersion === 5;
  test(`messages at random are read as they were written, MQTT version ${protocolVersion}`, () => {
    const random = generator(protocolVersion);
    const sent: IPublishPacket[] = Array.from({ length: 500 }, () => {
      const qos = Math.floor(random() * 3) as 0 | 1 | 2;
      return {
        cmd: 'publish',
        topic: TOPICS[Math.floor(random() * TOPICS.length)],
        payload: Buffer.alloc(Math.floor(random() * 300), Math.floor(random() * 256)),
        qos,
        retain: random() < 0.3,
        dup: qos > 0 && random() < 0.3,
        ...(qos > 0 ? { messageId: 1 + Math.floor(random() * 65_535) } : {}),
      };
    });
    const bytes = Buffer.concat(sent.map((one) => mqttPacket.generate(one, { protocolVersion })));
    let index = 0;
    for (const message of read(bytes, version5) as Generator<Message>) {
      const one = sent[index++];
      assert.equal(message.topic, one.topic);
      assert.equal(message.qos, one.qos);
      assert.equal(message.retain, one.retain);
      assert.equal(message.id, one.messageId ?? 0);
      assert.ok(message.payload.equals(one.payload as Buffer));
      assert.equal(message.properties, undefined);
      // As every subscriber gets it, before and after it is kept for later.
      for (let again = 0; again < 2; again++) {
        for (const qos of [0, 1, 2] as const) {
          for (const [out, retain] of [
            [4, false],
            [5, false],
            [5, true],
          ] as const) {
            const { messageId: _, ...rest } = one;
            const packet = { ...rest, qos, retain, dup: false, ...(qos > 0 ? { messageId: 7 } : {}) };
            const expected = mqttPacket.generate(packet, { protocolVersion: out });
            const got = Buffer.from(wire(message, qos, out === 5, retain));
            const { idAt, start } = message.frame(variantOf(out === 5, qos, retain, null));
            if (qos > 0) got.writeUInt16BE(7, idAt - start);
            assert.ok(got.equals(expected), JSON.stringify({ ...one, payload: 0, out, qos, retain, again }));
          }
        }
        message.detach();
      }
    }
    assert.equal(index, sent.length);
  });
}

test('who gets it as it came gets the same memory', () => {
  const bytes = packet(0x30, text('a'), 1, 2, 3);
  const message = readOne(bytes, false);
  const frame = message.frame(variantOf(false, 0, false, null));
  assert.equal(frame.head, bytes);
  assert.equal(frame.payloadBuffer, bytes);
  const other = message.frame(variantOf(true, 0, false, null));
  assert.notEqual(other.head, bytes);
  assert.equal(other.payloadBuffer, bytes);
});

const FAULTS: [string, Buffer, boolean, number][] = [
  ['nothing', packet(0x30), false, 0x81],
  ['half of the length of the topic', packet(0x30, 0), false, 0x81],
  ['a topic that is cut short', packet(0x30, 0, 5, 97), false, 0x81],
  ['no packet identifier', packet(0x32, text('a')), false, 0x81],
  ['half a packet identifier', packet(0x34, text('a'), 1), false, 0x81],
  ['no length of properties', packet(0x30, text('a')), true, 0x81],
  ['QoS 3', packet(0x36, text('a'), 0, 1), false, 0x81],
  ['DUP with QoS 0', packet(0x38, text('a')), false, 0x81],
  ['packet identifier 0', packet(0x32, text('a'), 0, 0), false, 0x82],
  ['an empty topic', packet(0x30, text('')), false, 0x81],
  ['a wildcard', packet(0x30, text('a/+')), false, 0x81],
  ['NUL', packet(0x30, text('a\0')), false, 0x81],
  ['a control character', packet(0x30, text('a\x1f')), false, 0x81],
  ['too many levels', packet(0x30, text('a/b/c/d')), false, 0x90],
  ['what is not UTF-8', packet(0x30, 0, 2, 0xc3, 0x28), false, 0x81],
  ['a surrogate', packet(0x30, 0, 3, 0xed, 0xa0, 0x80), false, 0x81],
  ['an overlong NUL', packet(0x30, 0, 2, 0xc0, 0x80), false, 0x81],
];

for (const [what, bytes, version5, reason] of FAULTS) {
  test(`a fault: ${what}`, () => {
    const [fault, after] = [
      ...read(Buffer.concat([bytes, packet(0x30, text('ok'), ...(version5 ? [0] : []))]), version5, 3),
    ];
    assert.equal((fault as { reason: number }).reason, reason);
    assert.equal((after as Message).topic, 'ok');
  });
}
/** A user property. */
function pair(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x26), text(name), text(value)]);
}

/** A PUBLISH with properties of these bytes. */
function withProperties(first: number, topic: string, ...parts: Buffer[]): Buffer {
  const bytes = Buffer.concat(parts);
  return packet(first, text(topic), ...(first & 6 ? [0, 7] : []), bytes.length, bytes, 'payload');
}

const ORDERED = [pair('b', '1'), pair('a', '2'), pair('7', '3'), pair('b', '4'), pair('__proto__', '5')];

test('properties are decoded, and go on as the bytes that they came in', () => {
  const bytes = withProperties(0x30, 'a', Buffer.of(1, 1), ...ORDERED, Buffer.of(9, 0, 2, 1, 2));
  const message = readOne(bytes, true);
  assert.deepEqual(JSON.parse(JSON.stringify(message.properties)), {
    payloadFormatIndicator: true,
    correlationData: { type: 'Buffer', data: [1, 2] },
    userProperties: JSON.parse('{"b":["1","4"],"a":"2","7":"3","__proto__":"5"}'),
    userPairs: ['b', '1', 'a', '2', '7', '3', 'b', '4', '__proto__', '5'],
  });
  assert.equal(Object.getPrototypeOf(message.properties?.userProperties), null);
  assert.equal(message.payload.toString(), 'payload');
  const same = message.frame(variantOf(true, 0, false, null));
  assert.equal(same.head, bytes, 'the same memory');
  const expected = Buffer.from(bytes);
  const retained = Buffer.from(bytes);
  retained[0] |= 1;
  for (let again = 0; again < 2; again++) {
    assert.ok(wire(message, 0, true).equals(expected));
    assert.ok(wire(message, 0, true, true).equals(retained));
    assert.ok(wire(message, 0, false).equals(packet(0x30, text('a'), 'payload')));
    message.detach();
    // Nothing of it is in the chunk any more.
    bytes.fill(0);
  }
  assert.deepEqual(message.properties?.correlationData, Buffer.of(1, 2));
});

test('a topic alias goes no further, before and after the message is kept for later', () => {
  const alias = (n: number) => Buffer.of(0x23, 0, n);
  const bytes = Buffer.concat([
    withProperties(0x30, 'a', ...ORDERED, alias(1), pair('z', '')),
    withProperties(0x32, '', alias(1)),
    withProperties(0x30, 'other', alias(2)),
    withProperties(0x30, '', ...ORDERED, alias(2)),
  ]);
  const messages = [...read(bytes, true)] as Message[];
  assert.deepEqual(
    messages.map(({ topic }) => topic),
    ['a', 'a', 'other', 'other'],
  );
  const expected = [
    withProperties(0x30, 'a', ...ORDERED, pair('z', '')),
    withProperties(0x30, 'a'),
    withProperties(0x30, 'other'),
    withProperties(0x30, 'other', ...ORDERED),
  ];
  for (let again = 0; again < 2; again++) {
    for (const [n, message] of messages.entries()) {
      assert.equal(wire(message, 0, true).toString('hex'), expected[n].toString('hex'), `${n}`);
      message.detach();
    }
  }
});

test('an alias belongs to one connection', () => {
  const one = withProperties(0x30, 'a', Buffer.of(0x23, 0, 1));
  assert.equal(readOne(one, true).topic, 'a');
  const [fault] = [...read(withProperties(0x30, '', Buffer.of(0x23, 0, 1)), true)];
  assert.equal((fault as { reason: number }).reason, 0x82);
});

test('a faulty topic gets no alias', () => {
  const alias = Buffer.of(0x23, 0, 1);
  const bytes = Buffer.concat([
    withProperties(0x30, 'a', alias),
    withProperties(0x30, 'a/#', alias),
    withProperties(0x30, '', alias),
  ]);
  const [, fault, after] = [...read(bytes, true)];
  assert.equal((fault as { reason: number }).reason, 0x81);
  assert.equal((after as Message).topic, 'a');
});

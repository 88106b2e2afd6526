/** PUBLISH as we write it, byte for byte as mqtt-packet does, and as its parser reads it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import mqttPacket, { type IPublishPacket } from 'mqtt-packet';
import type { PublishPacket, PublishProperties } from '../../../src/broker/aedes-internals.js';
import { Message } from '../../../src/broker/delivery/message.js';
import { TopicTable } from '../../../src/broker/delivery/topic-table.js';
import { type Variant, variantOf } from '../../../src/broker/delivery/variant.js';
import { varIntBytes } from '../../../src/broker/var-int.js';
import { generator } from '../../catalog/generator.js';

function packetOf(topic: string, payload: Buffer, properties?: PublishProperties): PublishPacket {
  const whole = { cmd: 'publish', topic, payload, qos: 2, retain: true, dup: false } as const;
  return properties === undefined ? whole : { ...whole, properties };
}

function messageOf(packet: PublishPacket): Message {
  return Message.of(new TopicTable(100_000).named(packet.topic), packet, Date.now());
}

/** What a message is on the wire. */
function written(message: Message, variant: Variant, id = 0, again = false): Buffer {
  const frame = message.frame(variant);
  const head = Buffer.from(frame.head.subarray(frame.start, frame.headEnd));
  if (variant.qos > 0) head.writeUInt16BE(id, frame.idAt - frame.start);
  else assert.equal(frame.idAt, 0);
  if (again) head[0] |= 8;
  const bytes = Buffer.concat([head, frame.payloadBuffer.subarray(frame.payloadAt, frame.payloadEnd)]);
  assert.equal(message.bytes(variant), bytes.length);
  return bytes;
}

function expected(packet: PublishPacket, variant: Variant, id: number, again: boolean): Buffer {
  const { topicAlias: _, subscriptionIdentifier: __, ...rest } = packet.properties ?? {};
  const identifiers = variant.identifiers ?? [];
  const properties = identifiers.length === 0 ? rest : { ...rest, subscriptionIdentifier: [...identifiers] };
  const whole = { ...packet, qos: variant.qos, retain: variant.retain, dup: again, properties };
  return mqttPacket.generate(variant.qos > 0 ? { ...whole, messageId: id } : whole, {
    protocolVersion: variant.version5 ? 5 : 4,
  });
}

function parsed(bytes: Buffer, version: number): IPublishPacket {
  const parser = mqttPacket.parser({ protocolVersion: version });
  const packets: IPublishPacket[] = [];
  parser.on('packet', (packet) => packets.push(packet as IPublishPacket));
  parser.on('error', (error) => {
    throw error;
  });
  assert.equal(parser.parse(bytes), 0);
  assert.equal(packets.length, 1);
  return packets[0];
}

function* variants(identifierLists: Variant['identifiers'][]): Generator<Variant> {
  for (const version5 of [false, true]) {
    for (const qos of [0, 1, 2] as const) {
      for (const retain of [false, true]) {
        for (const identifiers of version5 ? identifierLists : [null]) {
          yield variantOf(version5, qos, retain, identifiers);
        }
      }
    }
  }
}

const PROPERTIES: [string, PublishProperties | undefined][] = [
  ['none', undefined],
  ['empty', {}],
  ['payload format', { payloadFormatIndicator: true }],
  ['payload format 0', { payloadFormatIndicator: false }],
  ['expiry', { messageExpiryInterval: 4_294_967_295 }],
  ['content type', { contentType: 'text/plain; ü€😀' }],
  ['response topic', { responseTopic: 'answers/ä' }],
  ['correlation data', { correlationData: Buffer.from([0, 1, 255]) }],
  ['empty values', { contentType: '', correlationData: Buffer.alloc(0), userProperties: { '': '' } }],
  ['user properties', { userProperties: { a: '1', b: ['2', '3'], __proto__x: 'y' } }],
  [
    'all',
    {
      payloadFormatIndicator: true,
      messageExpiryInterval: 7,
      contentType: 'x'.repeat(300),
      responseTopic: 'r',
      correlationData: Buffer.alloc(200, 7),
      userProperties: { a: ['1', '2'], c: 'd'.repeat(20_000) },
    },
  ],
  ['what is the publisher’s own', { topicAlias: 3, subscriptionIdentifier: 9, contentType: 'x' }],
];

for (const [name, properties] of PROPERTIES) {
  test(`properties: ${name}, in all variants`, () => {
    const packet = packetOf('top/ic', Buffer.from('payload'), properties);
    const message = messageOf(packet);
    for (const variant of variants([null, [1], [127, 128, 16_384, 2_097_152, 268_435_455]])) {
      for (const again of variant.qos > 0 ? [false, true] : [false]) {
        const bytes = written(message, variant, 0xabcd, again);
        const theirs = expected(packet, variant, 0xabcd, again);
        const version = variant.version5 ? 5 : 4;
        assert.deepEqual(parsed(bytes, version), parsed(theirs, version));
        assert.equal(bytes.length, theirs.length);
        // With identifiers mqtt-packet writes the same in another order.
        if (variant.identifiers === null && name !== 'all') assert.deepEqual(bytes, theirs);
      }
    }
  });
}

test('payloads around every length of the remaining length, joined to the header or not', () => {
  for (const size of [0, 1, 115, 116, 127, 128, 8192, 8193, 16_370, 16_384, 65_536, 2_097_140, 2_097_160]) {
    const packet = packetOf('topic', Buffer.alloc(size, 'p'));
    const message = messageOf(packet);
    for (const variant of variants([null])) {
      assert.ok(written(message, variant, 7).equals(expected(packet, variant, 7, false)), `${size}`);
    }
  }
});

test('topics with any characters, up to the longest', () => {
  for (const topic of ['ä/€/😀', 'x'.repeat(65_535), '/', 'a b', '__proto__']) {
    const packet = packetOf(topic, Buffer.from('p'));
    for (const variant of variants([null])) {
      assert.ok(written(messageOf(packet), variant, 65_535).equals(expected(packet, variant, 65_535, false)));
    }
  }
});

test('one message under many identifiers: each frame has its own, however often it is written', () => {
  const random = generator(3);
  const packet = packetOf('t', Buffer.alloc(20_000, 'x'));
  const message = messageOf(packet);
  const all = [...variants([null, [5]])];
  for (let i = 0; i < 500; i++) {
    const variant = all[Math.floor(random() * all.length)];
    const id = 1 + Math.floor(random() * 65_535);
    assert.ok(written(message, variant, id).equals(expected(packet, variant, id, false)));
  }
});

test('a detached message shares no memory with the chunk that it was read in', () => {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const properties = { correlationData: chunk.subarray(100, 110), contentType: 'c' };
  const packet = packetOf('t', chunk.subarray(0, 20_000), properties);
  const message = messageOf(packet);
  const variant = variantOf(true, 1, false, null);
  const before = written(message, variant, 1);
  message.detach();
  assert.notEqual(message.payload.buffer, chunk.buffer);
  assert.notEqual(message.properties?.correlationData?.buffer, chunk.buffer);
  chunk.fill(0);
  assert.ok(written(message, variant, 1).equals(before));
  const { payload } = message;
  message.detach();
  assert.equal(message.payload, payload, 'once is enough');
});

test('lengths of a Variable Byte Integer', () => {
  for (const [value, bytes] of [
    [0, 1],
    [127, 1],
    [128, 2],
    [16_383, 2],
    [16_384, 3],
    [2_097_151, 3],
    [2_097_152, 4],
    [268_435_455, 4],
  ]) {
    assert.equal(varIntBytes(value), bytes);
  }
});

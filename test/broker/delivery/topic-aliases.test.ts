import assert from 'node:assert/strict';
import { test } from 'node:test';
import mqttPacket, { type IPublishPacket } from 'mqtt-packet';
import type { PublishPacket } from '../../../src/broker/aedes-internals.js';
import { type Frame, Message } from '../../../src/broker/delivery/message.js';
import { TopicAliases } from '../../../src/broker/delivery/topic-aliases.js';
import { TopicTable } from '../../../src/broker/delivery/topic-table.js';
import { variantOf } from '../../../src/broker/delivery/variant.js';
import { generator } from '../../catalog/generator.js';

const topics = new TopicTable(10);

function message(topic: string, options: Partial<PublishPacket> = {}): Message {
  const packet = {
    cmd: 'publish',
    payload: Buffer.from('payload'),
    qos: 0,
    retain: false,
    dup: false,
  } as const;
  return Message.of(topics.named(topic), { ...packet, topic, ...options }, Date.now());
}

function bytesOf({ head, start, headEnd, idAt, payloadBuffer, payloadAt, payloadEnd }: Frame): Buffer {
  const own = Buffer.from(head.subarray(start, headEnd));
  if (idAt > 0) own.writeUInt16BE(9, idAt - start);
  return Buffer.concat([own, payloadBuffer.subarray(payloadAt, payloadEnd)]);
}

/** A client that asked for aliases: what it understands. */
class Subscriber {
  readonly #topics = new Map<number, string>();
  readonly #parser = mqttPacket.parser({ protocolVersion: 5 });
  readonly #most: number;
  #last: IPublishPacket | null = null;
  bytes = 0;

  constructor(most: number) {
    this.#most = most;
    this.#parser.on('packet', (packet) => {
      this.#last = packet as IPublishPacket;
    });
  }

  take(frame: Frame): { packet: IPublishPacket; topic: string } {
    const bytes = bytesOf(frame);
    this.bytes = bytes.length;
    assert.equal(this.#parser.parse(bytes), 0);
    const packet = this.#last!;
    const alias = packet.properties?.topicAlias;
    if (alias === undefined) return { packet, topic: packet.topic };
    assert.ok(alias >= 1 && alias <= this.#most, `${alias}`);
    if (packet.topic !== '') this.#topics.set(alias, packet.topic);
    return { packet, topic: this.#topics.get(alias)! };
  }
}

test('the second time a topic is three bytes, for every QoS, with all properties', () => {
  const aliases = new TopicAliases(10, Number.POSITIVE_INFINITY);
  const subscriber = new Subscriber(10);
  const properties = { contentType: 'x', correlationData: Buffer.from('c') };
  for (const qos of [0, 1, 2] as const) {
    const topic = `vehicle/can/${qos}`;
    for (const [n, more] of [{}, {}, { properties }].entries()) {
      const one = message(topic, { qos, ...more });
      for (const identifiers of [null, [7]]) {
        const { packet, topic: got } = subscriber.take(
          aliases.frame(one, variantOf(true, qos, true, identifiers)),
        );
        assert.equal(got, topic);
        assert.deepEqual([packet.qos, packet.retain, packet.payload.toString()], [qos, true, 'payload']);
        assert.equal(packet.topic, n === 0 && identifiers === null ? topic : '');
        assert.equal(packet.properties?.contentType, n === 2 ? 'x' : undefined);
        assert.equal(packet.properties?.subscriptionIdentifier, identifiers === null ? undefined : 7);
      }
    }
  }
});

for (const seed of [1, 2]) {
  test(`more topics than aliases: each is understood as what it is; seed ${seed}`, () => {
    const random = generator(seed);
    const aliases = new TopicAliases(5, Number.POSITIVE_INFINITY);
    const subscriber = new Subscriber(5);
    let short = 0;
    for (let i = 0; i < 5000; i++) {
      const topic = `vehicle/${Math.floor(random() * random() * 12)}`;
      const { packet, topic: got } = subscriber.take(
        aliases.frame(message(topic), variantOf(true, 0, false, null)),
      );
      assert.equal(got, topic);
      if (packet.topic === '') short++;
    }
    assert.ok(short > 1000 && short < 4900, `${short}`);
  });
}

test('a short topic has none, nor one whose packet would become larger than the client takes', () => {
  const one = message('vehicle/speed');
  const variant = variantOf(true, 0, false, null);
  for (const spare of [0, 4, 5]) {
    const most = one.bytes(variant) + spare;
    const aliases = new TopicAliases(10, most);
    const subscriber = new Subscriber(10);
    const { packet } = subscriber.take(aliases.frame(one, variant));
    assert.equal(packet.properties?.topicAlias, spare === 5 ? 1 : undefined);
    assert.ok(subscriber.bytes <= most);
  }
  const short = new TopicAliases(10, Number.POSITIVE_INFINITY).frame(message('a/b'), variant);
  assert.equal(new Subscriber(10).take(short).packet.properties?.topicAlias, undefined);
});

test('the alias of the publisher goes no further', () => {
  const one = message('vehicle/speed', { properties: { topicAlias: 77 } });
  const aliases = new TopicAliases(10, Number.POSITIVE_INFINITY);
  const { packet } = new Subscriber(10).take(aliases.frame(one, variantOf(true, 0, false, null)));
  assert.equal(packet.properties?.topicAlias, 1);
});

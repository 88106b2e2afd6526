import { isUtf8 } from 'node:buffer';
import { Message } from '../delivery/message.js';
import type { Topic } from '../delivery/topic.js';
import { isAt, type TopicTable } from '../delivery/topic-table.js';
import {
  malformed,
  PAYLOAD_FORMAT_INVALID,
  type PacketFault,
  protocolError,
  TOPIC_ALIAS_INVALID,
} from '../packet-fault.js';
import { Fields } from './fields.js';
import type { FrameReader } from './frame-reader.js';
import { PUBLISH, readProperties } from './properties.js';

const CUT_SHORT = malformed('the PUBLISH is cut short');
const BAD_QOS = malformed('there is no QoS 3 [MQTT-3.3.1-4]');
const BAD_DUP = malformed('DUP is not set with QoS 0 [MQTT-3.3.1-2]');
const NO_ID = protocolError('the packet identifier is missing [MQTT-2.2.1-3]');
const UNKNOWN_ALIAS = protocolError('the topic alias stands for no topic (MQTT 5 section 3.3.2.3.4)');
const BAD_ALIAS: PacketFault = {
  text: 'the topic alias is 0 or beyond the Topic Alias Maximum [MQTT-3.3.2-8] [MQTT-3.3.2-9]',
  reason: TOPIC_ALIAS_INVALID,
};
const BAD_FORMAT: PacketFault = {
  text: 'the payload is not the UTF-8 that it is said to be',
  reason: PAYLOAD_FORMAT_INVALID,
};

/** Nothing waits while a packet is read: one is enough for all connections. */
const FIELDS = new Fields();

export interface PublishLimits {
  /** The highest topic alias that a client may use; 0: none. */
  readonly topicAliasMaximum: number;
  /** Whether a payload that is said to be UTF-8 has to be. */
  readonly checkPayloadFormat: boolean;
}

/**
 * Reads the PUBLISH packets of one connection where they lie (MQTT 5 section 3.3, MQTT 3.1.1 section 3.3), without an
 * object for anything but the message and its properties. ~100 ns without properties.
 */
export class PublishReader {
  readonly #topics: TopicTable;
  readonly #limits: PublishLimits;
  /** Many a client publishes on one topic only. */
  #last: Topic | null = null;
  /** Topics by alias, MQTT 5 section 3.3.2.3.4. */
  readonly #aliases = new Map<number, Topic>();
  /** Why `read` found no message. */
  fault: PacketFault | null = null;

  constructor(topics: TopicTable, limits: PublishLimits) {
    this.#topics = topics;
    this.#limits = limits;
  }

  /** The message in the frame, or null: see `fault`. */
  read(frame: FrameReader, version5: boolean): Message | null {
    const { bytes, start, body, end } = frame;
    const first = bytes[start];
    const qos = ((first >> 1) & 3) as 0 | 1 | 2;
    const dup = (first & 8) !== 0;
    const topicAt = body + 2;
    const topicBytes = (bytes[body] << 8) | bytes[body + 1];
    let at = topicAt + topicBytes;
    const idAt = qos > 0 ? at : 0;
    if (qos > 0) at += 2;
    if (at + (version5 ? 1 : 0) > end || topicAt > end) return this.#refuse(CUT_SHORT);
    if ((qos as number) === 3) return this.#refuse(BAD_QOS);
    if (dup && qos === 0) return this.#refuse(BAD_DUP);
    const id = qos > 0 ? (bytes[idAt] << 8) | bytes[idAt + 1] : 0;
    if (qos > 0 && id === 0) return this.#refuse(NO_ID);
    if (version5 && bytes[at++] !== 0) return this.#withProperties(frame, at - 1, qos, id, idAt);
    let topic = this.#last;
    if (topic === null || !isAt(topic, bytes, topicAt, topicBytes)) {
      topic = this.#topics.read(bytes, topicAt, topicBytes);
      if (topic.fault !== null) return this.#refuse(topic.fault);
      this.#last = topic;
    }
    const retain = (first & 1) !== 0;
    return Message.arrived(topic, version5, qos, retain, id, idAt, bytes, start, at, end, dup);
  }

  /** The properties begin at `at`. */
  #withProperties(frame: FrameReader, at: number, qos: 0 | 1 | 2, id: number, idAt: number): Message | null {
    const { bytes, start, body, end } = frame;
    const properties = readProperties(FIELDS.open(bytes, at, end), PUBLISH);
    if (properties === undefined) return this.#refuse(FIELDS.fault ?? CUT_SHORT);
    const { at: to, propertiesAt: from, expiryAt, aliasAt } = FIELDS;
    const { topicAlias, payloadFormatIndicator } = properties;
    const topicAt = body + 2;
    const topicBytes = (bytes[body] << 8) | bytes[body + 1];
    const topic =
      topicAlias === undefined
        ? this.#topics.read(bytes, topicAt, topicBytes)
        : this.#aliased(topicAlias, bytes, topicAt, topicBytes);
    if (topic === null) return null;
    if (topic.fault !== null) return this.#refuse(topic.fault);
    if (payloadFormatIndicator === true && this.#limits.checkPayloadFormat) {
      if (!isUtf8(bytes.subarray(to, end))) return this.#refuse(BAD_FORMAT);
    }
    const asArrived = { from, to, expiryAt, aliasAt };
    const first = bytes[start];
    return Message.arrivedWith(properties, asArrived, topic, qos, first, id, idAt, bytes, start, end);
  }

  /** A topic without name is the one that was last sent with the alias on this connection [MQTT-3.3.2-7]. */
  #aliased(alias: number, bytes: Buffer, at: number, length: number): Topic | null {
    if (alias === 0 || alias > this.#limits.topicAliasMaximum) return this.#refuse(BAD_ALIAS);
    if (length === 0) return this.#aliases.get(alias) ?? this.#refuse(UNKNOWN_ALIAS);
    const topic = this.#topics.read(bytes, at, length);
    if (topic.fault === null) this.#aliases.set(alias, topic);
    return topic;
  }

  #refuse(fault: PacketFault): null {
    this.fault = fault;
    return null;
  }
}

import { Message } from '../delivery/message.js';
import type { Topic } from '../delivery/topic.js';
import { isAt, type TopicTable } from '../delivery/topic-table.js';
import { MALFORMED_PACKET, type PacketFault, PROTOCOL_ERROR } from '../packet-fault.js';
import type { FrameReader } from './frame-reader.js';

const CUT_SHORT: PacketFault = { text: 'the PUBLISH is cut short', reason: MALFORMED_PACKET };
const BAD_QOS: PacketFault = { text: 'there is no QoS 3 [MQTT-3.3.1-4]', reason: MALFORMED_PACKET };
const BAD_DUP: PacketFault = {
  text: 'DUP is not set with QoS 0 [MQTT-3.3.1-2]',
  reason: MALFORMED_PACKET,
};
const NO_ID: PacketFault = {
  text: 'the packet identifier is missing [MQTT-2.2.1-3]',
  reason: PROTOCOL_ERROR,
};

/**
 * Reads the PUBLISH packets of one connection where they lie (MQTT 5 section 3.3, MQTT 3.1.1 section 3.3), without an
 * object for anything but the message. ~100 ns.
 */
export class PublishReader {
  readonly #topics: TopicTable;
  /** Many a client publishes on one topic only. */
  #last: Topic | null = null;
  /** Why `read` found no message; null: it has properties, which are not read here. */
  fault: PacketFault | null = null;

  constructor(topics: TopicTable) {
    this.#topics = topics;
  }

  /** The message in the frame, or null: see `fault`. */
  read({ bytes, start, body, end }: FrameReader, version5: boolean): Message | null {
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
    if (version5 && bytes[at++] !== 0) return this.#refuse(null);
    let topic = this.#last;
    if (topic === null || !isAt(topic, bytes, topicAt, topicBytes)) {
      topic = this.#topics.read(bytes, topicAt, topicBytes);
      if (topic.fault !== null) return this.#refuse(topic.fault);
      this.#last = topic;
    }
    const retain = (first & 1) !== 0;
    return Message.arrived(topic, version5, qos, retain, id, idAt, bytes, start, at, end, dup);
  }

  #refuse(fault: PacketFault | null): null {
    this.fault = fault;
    return null;
  }
}

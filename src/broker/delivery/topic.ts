import { isUtf8 } from 'node:buffer';
import { isOwnTopic, lengthFault, levelsFault, topicFault } from '../../topics.js';
import { MALFORMED_PACKET, type PacketFault, TOPIC_NAME_INVALID } from '../packet-fault.js';

/** A topic that a message came on, with all that is found out once and not for each message. */
export class Topic {
  readonly name: string;
  readonly utf8: Uint8Array;
  /** Of the broker's own traffic. */
  readonly own: boolean;
  /** Why nobody may publish on it; null: it is well-formed. */
  readonly fault: PacketFault | null;
  /** What the router remembers of it: who gets its messages, as of its `epoch`. */
  route: unknown = null;
  epoch = 0;
  /** What the capture remembers of it. */
  memo: unknown = null;

  /** `ascii`: no byte of `utf8` is above 127. */
  constructor(name: string, utf8: Uint8Array, ascii: boolean, mostLevels: number, mostBytes: number) {
    this.name = name;
    this.utf8 = utf8;
    this.own = isOwnTopic(name);
    const text = topicFault(name) ?? levelsFault(name, mostLevels) ?? lengthFault(name, mostBytes);
    if (!ascii && !isUtf8(utf8)) this.fault = NOT_UTF8;
    else this.fault = text === null ? null : { text, reason: TOPIC_NAME_INVALID };
  }
}

const NOT_UTF8: PacketFault = {
  text: 'the topic name is not UTF-8 [MQTT-1.5.4-1]',
  reason: MALFORMED_PACKET,
};

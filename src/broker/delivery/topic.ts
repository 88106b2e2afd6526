import { isUtf8 } from 'node:buffer';
import { isOwnTopic, lengthFault, levelsFault, topicFault } from '../../topics.js';
import { malformed, type PacketFault, TOPIC_NAME_INVALID } from '../packet-fault.js';

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
    this.fault = !ascii && !isUtf8(utf8) ? NOT_UTF8 : faultOf(name, mostLevels, mostBytes);
  }
}

const NOT_UTF8 = malformed('the topic name is not UTF-8 [MQTT-1.5.4-1]');

function faultOf(name: string, mostLevels: number, mostBytes: number): PacketFault | null {
  const broken = topicFault(name);
  if (broken !== null) return malformed(broken);
  const tooMuch = levelsFault(name, mostLevels) ?? lengthFault(name, mostBytes);
  return tooMuch === null ? null : { text: tooMuch, reason: TOPIC_NAME_INVALID };
}

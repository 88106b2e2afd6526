import { isUtf8 } from 'node:buffer';
import { isOwnTopic, levelsFault, topicFault } from '../../topics.js';
import { MALFORMED_PACKET, type PacketFault, TOPIC_NAME_INVALID } from '../packet-fault.js';
import type { Route } from './router.js';

/** A topic that a message came on, with all that is found out once and not for each message. */
export class Topic {
  readonly name: string;
  readonly utf8: Uint8Array;
  /** Of the broker's own traffic. */
  readonly own: boolean;
  /** Why nobody may publish on it; null: it is well-formed. */
  readonly fault: PacketFault | null;
  /** Who gets its messages, as of `epoch` of the router. */
  route: Route | null = null;
  epoch = 0;

  constructor(utf8: Uint8Array, mostLevels: number) {
    this.utf8 = utf8;
    this.name = Buffer.from(utf8.buffer, utf8.byteOffset, utf8.length).toString('utf8');
    this.own = isOwnTopic(this.name);
    this.fault = faultOf(this.name, utf8, mostLevels);
  }
}

function faultOf(name: string, utf8: Uint8Array, mostLevels: number): PacketFault | null {
  if (!isUtf8(utf8)) return { text: 'the topic name is not UTF-8 [MQTT-1.5.4-1]', reason: MALFORMED_PACKET };
  const text = topicFault(name) ?? levelsFault(name, mostLevels);
  return text === null ? null : { text, reason: TOPIC_NAME_INVALID };
}

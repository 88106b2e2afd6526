import { Message } from '../delivery/message.js';
import type { TopicTable } from '../delivery/topic-table.js';

/** A message of the broker's own, with QoS 0: the next one makes up for a lost one. */
export function ownMessage(topics: TopicTable, topic: string, text: string, retain: boolean): Message {
  const payload = Buffer.from(text);
  return Message.of(topics.named(topic), { topic, payload, qos: 0, retain }, 0);
}

import { topicMatcher } from '../../topics.js';
import type { Message } from '../delivery/message.js';
import type { TopicTable } from '../delivery/topic-table.js';
import { ownMessage } from './own-message.js';

/**
 * The values under `$SYS/broker/...`: a new subscriber gets the latest at once, as if they were retained. They are in
 * memory only, are neither captured nor counted as retained messages, and no session keeps them for later.
 */
export class LatestValues {
  readonly #topics: TopicTable;
  readonly #deliver: (message: Message) => void;
  readonly #values = new Map<string, { text: string; message: Message }>();

  constructor(topics: TopicTable, deliver: (message: Message) => void) {
    this.#topics = topics;
    this.#deliver = deliver;
  }

  /** Tells the subscribers, if the value is another one than before. */
  set(topic: string, text: string): void {
    if (this.#values.get(topic)?.text === text) return;
    const message = ownMessage(this.#topics, topic, text, true);
    this.#values.set(topic, { text, message });
    this.#deliver(message);
  }

  /** Those that a new subscription gets. */
  *matching(filter: string): Generator<Message> {
    if (!filter.startsWith('$SYS/')) return;
    const matches = topicMatcher(filter);
    for (const [topic, { message }] of this.#values) if (matches(topic)) yield message;
  }
}

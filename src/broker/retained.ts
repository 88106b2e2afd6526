import { topicMatcher } from '../topics.js';
import type { Persistence } from './aedes-internals.js';
import { expired } from './delivery/expiry.js';
import { Message } from './delivery/message.js';
import type { TopicTable } from './delivery/topic-table.js';

/** Retained messages by topic: memory answers at once and in order, the store follows. */
export class Retained {
  readonly #messages = new Map<string, Message>();
  readonly #brokerId: string;
  #bytes = 0;

  constructor(brokerId: string) {
    this.#brokerId = brokerId;
  }

  get count(): number {
    return this.#messages.size;
  }

  /** Bytes of payload. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads what the store has kept. */
  async load(persistence: Persistence, topics: TopicTable): Promise<void> {
    for await (const packet of persistence.createRetainedStreamCombi(['#'])) {
      this.#keep(Message.of(topics.named(packet.topic), packet, Date.now()));
    }
  }

  /** Keeps a message as its topic's retained one; an empty payload removes it [MQTT-3.3.1-6]. */
  store(message: Message, persistence: Persistence): Promise<void> {
    this.#bytes -= this.#messages.get(message.topic)?.payloadBytes ?? 0;
    if (message.payloadBytes === 0) {
      this.#messages.delete(message.topic);
      return persistence.storeRetained(message.packet(this.#brokerId));
    }
    message.detach();
    this.#keep(message);
    return persistence.storeRetained(message.packet(this.#brokerId));
  }

  /** The messages that a new subscription gets. */
  *matching(filter: string, now: number): Generator<Message> {
    if (!filter.includes('+') && !filter.includes('#')) {
      const single = this.#messages.get(filter);
      if (single !== undefined && !expired(single, now)) yield single;
      return;
    }
    const matches = topicMatcher(filter);
    for (const [topic, message] of this.#messages)
      if (matches(topic) && !expired(message, now)) yield message;
  }

  #keep(message: Message): void {
    this.#messages.set(message.topic, message);
    this.#bytes += message.payloadBytes;
  }
}

import { topicMatcher } from '../topics.js';
import type { PublishPacket } from './aedes-internals.js';
import { expired } from './delivery/expiry.js';
import { Message } from './delivery/message.js';
import type { TopicTable } from './delivery/topic-table.js';
import type { StoredMessage } from './store/packet-codec.js';

/** Retained messages by topic: memory answers at once and in order, the store follows. */
export class Retained {
  readonly #messages = new Map<string, Message>();
  readonly #brokerId: string;
  readonly #put: (packet: PublishPacket) => void;
  #bytes = 0;

  /** `put`: into the store, where an empty payload removes a message. */
  constructor(brokerId: string, put: (packet: PublishPacket) => void) {
    this.#brokerId = brokerId;
    this.#put = put;
  }

  get count(): number {
    return this.#messages.size;
  }

  /** Bytes of payload. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads what the store has kept. */
  async load(stored: AsyncIterable<StoredMessage>, topics: TopicTable): Promise<void> {
    for await (const one of stored) {
      const packet = { ...one, payload: Buffer.from(one.payload) };
      this.#keep(Message.of(topics.named(packet.topic), packet, Date.now()));
    }
  }

  /** Keeps a message as its topic's retained one; an empty payload removes it [MQTT-3.3.1-6]. */
  store(message: Message): void {
    this.#bytes -= this.#messages.get(message.topic)?.payloadBytes ?? 0;
    if (message.payloadBytes === 0) {
      this.#messages.delete(message.topic);
    } else {
      message.detach();
      this.#keep(message);
    }
    this.#put(message.packet(this.#brokerId));
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

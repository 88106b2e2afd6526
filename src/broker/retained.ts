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
  async load(
    stored: AsyncIterable<StoredMessage>,
    topics: TopicTable,
    except: (topic: string) => boolean = () => false,
  ): Promise<void> {
    for await (const one of stored) {
      if (except(one.topic)) continue;
      const packet = { ...one, payload: Buffer.from(one.payload) };
      this.keep(Message.of(topics.named(packet.topic), packet, Date.now()));
    }
  }

  /** Before they are loaded anew. */
  forget(except: (topic: string) => boolean): void {
    for (const [topic, { known }] of this.#messages) {
      if (!known.own && !except(topic)) this.#remove(topic);
    }
  }

  /** Keeps a message as its topic's retained one; an empty payload removes it [MQTT-3.3.1-6]. */
  store(message: Message): void {
    this.keep(message);
    this.#put(message.packet(this.#brokerId));
  }

  /** As `store`, for one that the store has. */
  keep(message: Message): void {
    this.#remove(message.topic);
    if (message.payloadBytes === 0) return;
    message.detach();
    this.#messages.set(message.topic, message);
    this.#bytes += message.payloadBytes;
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

  #remove(topic: string): void {
    this.#bytes -= this.#messages.get(topic)?.payloadBytes ?? 0;
    this.#messages.delete(topic);
  }
}

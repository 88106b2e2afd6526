import { topicMatcher } from '../topics.js';
import type { PublishPacket } from './aedes-internals.js';
import { expired } from './delivery/expiry.js';
import { Message } from './delivery/message.js';
import type { TopicTable } from './delivery/topic-table.js';
import type { StoredMessage } from './store/packet-codec.js';

const NOTHING = Buffer.alloc(0);

export interface RetainedLimits {
  readonly retainedMessages: number;
  /** Of payload. */
  readonly retainedBytes: number;
}

/** Retained messages by topic: memory answers at once and in order, the store follows. */
export class Retained {
  readonly #messages = new Map<string, Message>();
  readonly #brokerId: string;
  readonly #put: (packet: PublishPacket) => void;
  readonly #limits: RetainedLimits;
  #bytes = 0;
  /** When expired ones were looked for, wall time in ms. */
  #lookedAt = 0;

  /** `put`: into the store, where an empty payload removes a message. */
  constructor(brokerId: string, limits: RetainedLimits, put: (packet: PublishPacket) => void) {
    this.#brokerId = brokerId;
    this.#limits = limits;
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

  /** Whether a message can be kept within the limits; those of the broker itself always can. */
  fits(message: Message): boolean {
    if (message.payloadBytes === 0 || message.known.own || this.#hasRoom(message)) return true;
    this.#forgetExpired(Date.now());
    return this.#hasRoom(message);
  }

  /**
   * Keeps a message as its topic's retained one; an empty payload removes it [MQTT-3.3.1-6]. So does one that does not
   * fit: nobody is told what holds no more.
   */
  store(message: Message): void {
    const removes = message.payloadBytes === 0 || !this.fits(message);
    if (removes) {
      this.#remove(message.topic);
      this.#put({ ...message.packet(this.#brokerId), payload: NOTHING });
    } else {
      this.keep(message);
      this.#put(message.packet(this.#brokerId));
    }
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

  #hasRoom({ topic, payloadBytes }: Message): boolean {
    const before = this.#messages.get(topic);
    const bytes = this.#bytes - (before?.payloadBytes ?? 0) + payloadBytes;
    const { retainedMessages, retainedBytes } = this.#limits;
    return bytes <= retainedBytes && (before !== undefined || this.count < retainedMessages);
  }

  /** Not more often than once a second: the work grows with their number. */
  #forgetExpired(now: number): void {
    if (Math.abs(now - this.#lookedAt) < 1000) return;
    this.#lookedAt = now;
    for (const [topic, message] of this.#messages) if (expired(message, now)) this.#remove(topic);
  }

  #remove(topic: string): void {
    this.#bytes -= this.#messages.get(topic)?.payloadBytes ?? 0;
    this.#messages.delete(topic);
  }
}

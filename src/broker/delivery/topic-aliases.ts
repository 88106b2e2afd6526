import type { Frame, Message } from './message.js';
import type { Variant } from './variant.js';

/** A client may ask for 65,535: so many topics of one connection are remembered. */
const MOST = 256;
/** What an alias adds to a packet at most: property, and lengths that take one byte more. */
const ALIAS_BYTES = 5;

/**
 * The topic aliases of one connection that asked for some (MQTT 5 section 3.3.2.3.4): a topic that comes again is sent
 * as three bytes. When there are no more of them, the one that was given first gets another topic.
 */
export class TopicAliases {
  readonly #most: number;
  readonly #maximumPacketSize: number;
  readonly #aliases = new Map<string, number>();
  readonly #topics: string[] = [];
  #next = 1;

  /** `most`: the client's Topic Alias Maximum. */
  constructor(most: number, maximumPacketSize: number) {
    this.#most = Math.min(most, MOST);
    this.#maximumPacketSize = maximumPacketSize;
  }

  /** The bytes for this connection alone. They must be sent: the next ones rely on it. */
  frame(message: Message, variant: Variant): Frame {
    const { name, utf8 } = message.known;
    const known = this.#aliases.get(name);
    if (known !== undefined) return message.aliased(variant, known, true);
    // A topic shorter than what stands for it, or one that fills the packet.
    if (utf8.length <= ALIAS_BYTES || this.#fills(message, variant)) return message.frame(variant);
    return message.aliased(variant, this.#give(name), false);
  }

  #fills(message: Message, variant: Variant): boolean {
    const most = this.#maximumPacketSize;
    return most < Number.POSITIVE_INFINITY && message.bytes(variant) + ALIAS_BYTES > most;
  }

  #give(topic: string): number {
    const alias = this.#next;
    this.#next = alias === this.#most ? 1 : alias + 1;
    const before = this.#topics[alias];
    if (before !== undefined) this.#aliases.delete(before);
    this.#topics[alias] = topic;
    this.#aliases.set(topic, alias);
    return alias;
  }
}

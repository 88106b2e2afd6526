import { topicMatcher } from '../topics.js';
import type { Persistence, PublishPacket } from './aedes-internals.js';
import { expired } from './expiry.js';
import { detached } from './publish-frame.js';

/** Retained messages by topic: memory answers at once and in order, the store follows. */
export class Retained {
  readonly #messages = new Map<string, PublishPacket>();
  #bytes = 0;

  get count(): number {
    return this.#messages.size;
  }

  /** Bytes of payload. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads what the store has kept. */
  async load(persistence: Persistence): Promise<void> {
    for await (const packet of persistence.createRetainedStreamCombi(['#'])) {
      this.#messages.set(packet.topic, packet);
      this.#bytes += packet.payload.length;
    }
  }

  /** Keeps a message as its topic's retained one; an empty payload removes it [MQTT-3.3.1-6]. */
  store(packet: PublishPacket, persistence: Persistence): Promise<void> {
    this.#bytes -= this.#messages.get(packet.topic)?.payload.length ?? 0;
    if (packet.payload.length === 0) {
      this.#messages.delete(packet.topic);
      return persistence.storeRetained(packet);
    }
    const kept = detached(packet);
    this.#bytes += kept.payload.length;
    this.#messages.set(packet.topic, kept);
    return persistence.storeRetained(kept);
  }

  /** The messages that a new subscription gets. */
  *matching(filter: string, now: number): Generator<PublishPacket> {
    if (!filter.includes('+') && !filter.includes('#')) {
      const single = this.#messages.get(filter);
      if (single !== undefined && !expired(single, now)) yield single;
      return;
    }
    const matches = topicMatcher(filter);
    for (const [topic, packet] of this.#messages) if (matches(topic) && !expired(packet, now)) yield packet;
  }
}

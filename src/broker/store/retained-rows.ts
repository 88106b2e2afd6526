import { topicMatcher } from '../../topics.js';
import { KIND } from './keys.js';
import { decodeMessage, encodeWhole, type StoredMessage } from './packet-codec.js';
import type { Rows } from './rows.js';

/** Retained messages by topic. Only the broker keeps them in memory. */
export class RetainedRows {
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /** An empty payload removes the topic's message [MQTT-3.3.1-6]. */
  store(packet: StoredMessage): Promise<void> {
    const key = KIND.retained + packet.topic;
    if (packet.payload.length === 0) this.#rows.delete(key);
    else this.#rows.put(key, encodeWhole(packet));
    return this.#rows.written();
  }

  async *all(): AsyncGenerator<StoredMessage> {
    for await (const [, value] of this.#rows.range(KIND.retained))
      yield this.#rows.decode(value, decodeMessage);
  }

  /** Those that match at least one of the filters. */
  async *matching(filters: readonly string[]): AsyncGenerator<StoredMessage> {
    const matchers = filters.map(topicMatcher);
    for await (const message of this.all()) {
      if (matchers.some((matches) => matches(message.topic))) yield message;
    }
  }
}

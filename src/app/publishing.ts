import type { Broker } from '../broker/broker.js';
import { MqttStreamError } from '../errors.js';
import { isOwnTopic, topicFault } from '../topics.js';

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array | string;
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
}

/** What embedders publish, as a client would. */
export class Publishing {
  readonly #broker: Broker;
  /** Those who have no answer yet. */
  readonly #waiting = new Set<(error: Error) => void>();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Resolves when the message is captured and routed. Rejects with REQUEST_INVALID (no topic name) or TOPIC_RESERVED. */
  async publish(message: Message): Promise<void> {
    const { payload, topic } = message;
    const fault = topicFault(topic);
    if (fault !== null) throw new MqttStreamError('REQUEST_INVALID', [fault]);
    if (isOwnTopic(topic)) throw new MqttStreamError('TOPIC_RESERVED', [topic]);
    const packet = { ...message, payload: typeof payload === 'string' ? Buffer.from(payload) : payload };
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      this.#broker.publish(packet, (error?: Error | null) => {
        this.#waiting.delete(reject);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Whoever has no answer yet gets SHUTTING_DOWN. */
  end(): void {
    for (const reject of this.#waiting) reject(new MqttStreamError('SHUTTING_DOWN'));
  }
}

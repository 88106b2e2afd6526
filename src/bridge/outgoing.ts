import { topicFault } from '../topics.js';
import { hasPassed, type Properties, withHop } from './hops.js';
import { type Rule, type Rules, remapped } from './rules.js';
import type { BridgeStats } from './stats.js';
import type { BridgeTime } from './time.js';

/** A message as it is here. */
export interface LocalMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** Without Message Expiry Interval. */
  readonly properties: Properties | undefined;
  /** Until it expires (MQTT 5 section 3.3.2.3.3), perhaps below 0; undefined: never. */
  readonly secondsLeft: number | undefined;
  /** Who published it; null: the broker itself. */
  readonly clientId: string | null;
}

/** A message as it goes to the other broker. */
export interface Outgoing {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly properties: Properties;
  /** When it expires, by the bridge's time, ms; undefined: never. */
  readonly expiry: number | undefined;
}

export interface OutgoingOptions {
  readonly rules: Rules;
  readonly maxQos: 0 | 1;
  /** The broker's own: lasting, unlike that of aedes. */
  readonly brokerId: string;
  /** Whose messages came from the other broker. */
  readonly clientId: string;
  readonly time: BridgeTime;
}

/** Decides what goes out, and as what. */
export class OutgoingMessages {
  readonly #options: OutgoingOptions;
  readonly #stats: BridgeStats;

  constructor(options: OutgoingOptions, stats: BridgeStats) {
    this.#options = options;
    this.#stats = stats;
  }

  /** The rule by which it goes out; null: it does not. */
  rule(topic: string, clientId: string | null): Rule | null {
    // As with no-local of a subscription: the other broker knows its own messages.
    return clientId === this.#options.clientId ? null : this.#options.rules.find(topic);
  }

  /** `least`: the QoS that it goes with at least. null: it has been here before, or has no name over there. */
  of(rule: Rule, message: LocalMessage, least: 0 | 1): Outgoing | null {
    const { brokerId, maxQos, time } = this.#options;
    const { payload, properties, retain, secondsLeft } = message;
    if (hasPassed(properties, brokerId)) {
      this.#stats.loops++;
      return null;
    }
    const topic = remapped(rule, message.topic);
    if (topicFault(topic) !== null) {
      this.#stats.refused++;
      return null;
    }
    const qos = Math.min(Math.max(message.qos, least), rule.qos, maxQos) as 0 | 1;
    const expiry = secondsLeft === undefined ? undefined : time.now() + secondsLeft * 1000;
    return { topic, payload, qos, retain, properties: withHop(properties, brokerId), expiry };
  }
}

import type { IPublishPacket } from 'mqtt';
import { isOwnTopic, topicFault } from '../topics.js';
import { hasPassed, type Properties } from './hops.js';
import type { Link } from './link.js';
import { type Rules, remapped } from './rules.js';
import type { BridgeStats } from './stats.js';

export interface IncomingMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly properties?: Properties;
}

export interface IncomingParts {
  readonly rules: Rules;
  readonly brokerId: string;
  readonly stats: BridgeStats;
  readonly log: { warn(fields: object, message: string): void };
  /** `done`: it is captured and routed, or never will be. */
  readonly publish: (message: IncomingMessage, done: (error?: Error | null) => void) => void;
}

/** Publishes here what comes from the other broker, one message after the other; it is acknowledged once captured. */
export class Incoming {
  readonly #parts: IncomingParts;
  /** Each reason is logged once. */
  readonly #told = new Set<string>();

  constructor(parts: IncomingParts) {
    this.#parts = parts;
  }

  take(link: Link, packet: IPublishPacket, done: () => void): void {
    const { brokerId, log, publish, rules, stats } = this.#parts;
    const payload = packet.payload as Buffer;
    const rule = rules.find(packet.topic);
    // Perhaps of a subscription that an earlier configuration left in the session.
    if (rule === null) {
      done();
      return;
    }
    stats.received++;
    stats.bytesReceived += payload.length;
    if (hasPassed(packet.properties, brokerId)) {
      stats.loops++;
      done();
      return;
    }
    const topic = remapped(rule, packet.topic);
    const responseTopic = packet.properties?.responseTopic;
    const fault =
      topicFault(topic) ??
      (responseTopic === undefined ? null : topicFault(responseTopic)) ??
      (isOwnTopic(topic) ? 'it is reserved for the broker' : null);
    if (fault !== null) {
      stats.refused++;
      if (!this.#told.has(fault)) {
        this.#told.add(fault);
        log.warn(
          { topic, reason: fault },
          'a message cannot be published here; others like it are only counted',
        );
      }
      done();
      return;
    }
    const { properties, qos, retain } = packet;
    const message = { topic, payload, qos, retain, ...(properties && { properties: published(properties) }) };
    publish(message, (error) => {
      // Not acknowledged: it comes again.
      if (error) link.destroy(error);
      else done();
    });
  }
}

/** What is of this connection only stays here. */
function published({ topicAlias: _, subscriptionIdentifier: __, ...properties }: Properties): Properties {
  return properties;
}

import type { Audit } from '../audit.js';
import { isOwnTopic } from '../topics.js';
import { type Access, type Identity, NOT_AUTHORIZED } from './access/access.js';
import type { PublishPacket } from './aedes-internals.js';
import type { Capture, Origin } from './capture.js';
import { whenOneIsRelieved } from './delivery/congestion.js';
import type { Message } from './delivery/message.js';
import type { Log } from './log.js';
import { type Keys, NOBODY, type Pipeline, type Publisher } from './pipeline.js';
import type { BrokerStats } from './stats.js';

export interface InsidePublishingParts {
  readonly brokerId: string;
  readonly keys: Keys;
  readonly capture: Capture;
  readonly access: Access;
  readonly pipeline: Pipeline;
  readonly messageOf: (packet: PublishPacket) => Message;
  readonly stats: BrokerStats;
  readonly audit: Audit;
  readonly log: Log;
}

/** Publishes what comes from no connection: the embedder's messages, bridges', wills, and the broker's own. */
export class InsidePublishing {
  readonly #parts: InsidePublishingParts;
  /** Where aedes tells of clients and of itself. */
  readonly #aedesTopics: string;
  readonly #own: Origin;

  constructor(parts: InsidePublishingParts) {
    this.#parts = parts;
    this.#aedesTopics = `$SYS/${parts.brokerId}/`;
    this.#own = parts.capture.origin(null);
  }

  /** The key is given here. `clientId`: in whose name; null: in the broker's own. */
  publish(packet: object, clientId: string | null, finished?: (error?: Error | null) => void): void {
    const { capture, keys, log, messageOf, pipeline, stats } = this.#parts;
    const origin = clientId === null ? this.#own : capture.origin(clientId);
    const whole = { cmd: 'publish', qos: 0, retain: false, dup: false, ...packet } as PublishPacket;
    whole.payload = Buffer.isBuffer(whole.payload) ? whole.payload : Buffer.from(whole.payload ?? '');
    try {
      const message = messageOf(whole);
      if (whole.topic.startsWith(this.#aedesTopics)) {
        // aedes listens to itself: its heartbeat keeps it from publishing the wills of those who are there.
        pipeline.callFunctions(message);
        finished?.(null);
        return;
      }
      stats.inside++;
      keys.look();
      // Whoever published it may write over it at once.
      message.detach();
      pipeline.publish(message, origin, finished === undefined ? NOBODY : insidePublisher(finished));
    } catch (error) {
      // A will is published in the middle of closing a connection, where nobody catches.
      log.error({ err: error, topic: whole.topic }, 'a message could not be published');
      finished?.(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** If its client might have published it. */
  publishWill(identity: Identity, packet: PublishPacket, done: () => void): void {
    const { access, audit, stats } = this.#parts;
    const { topic } = packet;
    const { clientId, user, address } = identity;
    if (!isOwnTopic(topic) && access.mayPublish(identity, topic)) {
      this.publish(packet, clientId, done);
    } else {
      done();
      stats.refused++;
      const who = { client: clientId, user, address };
      audit.record({ audit: 'publish-denied', ...who, topic, code: NOT_AUTHORIZED });
    }
  }
}

/**
 * Whoever publishes from inside is told when its message is captured, and not before one of those who get it has less
 * to do: who waits for that is as slow as the fastest of its subscribers, like a client.
 */
function insidePublisher(finished: (error: Error | null) => void): Publisher {
  let congested = false;
  /** Undefined: it is not published yet. */
  let outcome: Error | null | undefined;
  const done = () => {
    if (outcome !== undefined && !congested) finished(outcome);
  };
  return {
    ...NOBODY,
    congested: (route) => {
      congested = true;
      whenOneIsRelieved(route, () => {
        congested = false;
        done();
      });
    },
    published: (_message, _reason, safe) => {
      const settled = (error: Error | null) => {
        outcome = error;
        done();
      };
      if (safe === null) settled(null);
      else safe.then(() => settled(null), settled);
    },
  };
}

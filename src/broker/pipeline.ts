import { isOwnTopic } from '../topics.js';
import type { Persistence, PublishPacket } from './aedes-internals.js';
import type { Capture, Origin } from './capture.js';
import { setExpiry } from './expiry.js';
import { PublishFrames, type Variant } from './publish-frame.js';
import type { Retained } from './retained.js';
import type { Route, Router, Target } from './router.js';
import type { BrokerStats } from './stats.js';

/** Gives the keys. */
export interface Keys {
  next(): number;
}

/** `refused`: routed, but a stream that wanted the message did not take it. */
export type Published = (error: Error | null, refused: boolean) => void;

export interface PipelineParts {
  readonly brokerId: string;
  readonly keys: Keys;
  readonly capture: Capture;
  readonly router: Router;
  readonly retained: Retained;
  readonly stats: BrokerStats;
  readonly persistence: () => Persistence;
  readonly onFault: (error: unknown) => void;
  readonly onPublished: (packet: PublishPacket) => void;
}

/**
 * What happens to a message, in this order and in the order of arrival: key, capture, retained, subscribers. All of
 * it happens in the call, except when a stream has no room: then nothing of it has happened, and it is tried again
 * when there is room. The store of retained messages follows behind the memory; `done` waits for it, others do not.
 */
export class Pipeline {
  readonly #parts: PipelineParts;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** False: the message waits for room, and so must what its publisher sends after it, until `done`. */
  publish(packet: PublishPacket, origin: Origin, done: Published): boolean {
    const { brokerId, keys, capture, stats } = this.#parts;
    let taken = true;
    if (isOwnTopic(packet.topic)) {
      packet.brokerCounter = keys.next();
    } else {
      if (!capture.admit(origin, packet)) {
        capture.wait(origin, packet, () => this.publish(packet, origin, done));
        return false;
      }
      const key = keys.next();
      packet.brokerCounter = key;
      taken = capture.take(origin, packet, key);
    }
    packet.brokerId = brokerId;
    if (origin.clientId !== null) packet.clientId = origin.clientId;
    if (packet.properties !== undefined) setExpiry(packet, Date.now());
    stats.received++;
    stats.bytesReceived += packet.payload.length;
    this.#route(packet, done, taken);
    return true;
  }

  /**
   * To connected subscribers only: no key, no capture, no queue for those who are away. `busy` takes those whose
   * connection has enough to do, so that the caller can wait for them.
   */
  deliver(packet: PublishPacket, busy: (target: Target) => void): void {
    const route = this.#parts.router.find(packet.topic);
    this.#emit(packet, route, false);
    for (const target of route.targets) if (target.session.outbox?.busy === true) busy(target);
  }

  /** Calls back when no subscriber of the topic has more waiting than it should. */
  whenTaken(topic: string, callback: () => void): void {
    const busy = this.#parts.router
      .find(topic)
      .targets.map(({ session }) => session.outbox)
      .filter((outbox) => outbox?.busy === true);
    let left = busy.length;
    if (left === 0) callback();
    for (const outbox of busy) outbox!.onRelief(() => --left === 0 && callback());
  }

  #route(packet: PublishPacket, done: Published, taken: boolean): void {
    const { persistence, retained, router } = this.#parts;
    const stored = packet.retain ? retained.store(packet, persistence()) : null;
    this.#emit(packet, router.route(packet.topic), true);
    if (stored === null) {
      done(null, !taken);
    } else {
      stored.then(
        () => done(null, !taken),
        (error: unknown) => {
          this.#parts.onFault(error);
          done(error instanceof Error ? error : new Error(String(error)), !taken);
        },
      );
    }
  }

  /** `keep`: sessions whose client is away or does not acknowledge it get it later. */
  #emit(packet: PublishPacket, route: Route, keep: boolean): void {
    if (route.targets.length > 0) {
      const frames = new PublishFrames(packet);
      for (const target of route.targets) {
        const { session } = target;
        if (isOwn(target, packet)) continue;
        const variant: Variant = {
          version5: session.outbox?.version5 === true,
          qos: Math.min(packet.qos, target.qos) as 0 | 1 | 2,
          retain: packet.retain && target.retainAsPublished,
          identifiers: target.identifiers,
        };
        session.deliver(frames, variant, keep);
      }
    }
    for (const deliver of route.functions) {
      try {
        deliver(packet, noop);
      } catch (error) {
        this.#parts.onFault(error);
      }
    }
    this.#parts.onPublished(packet);
  }
}

/** The subscriber does not want what it published itself [MQTT-3.8.3-3]. */
function isOwn(target: Target, packet: PublishPacket): boolean {
  return target.noLocal && packet.clientId === target.session.clientId;
}

function noop(): void {}

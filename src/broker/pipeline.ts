import { Both } from '../both.js';
import type { PublishPacket } from './aedes-internals.js';
import type { Capture, Origin } from './capture.js';
import type { Message } from './delivery/message.js';
import type { Outbox } from './delivery/outbox.js';
import { NOWHERE, type Route, type Router } from './delivery/router.js';
import type { Share } from './delivery/share.js';
import type { Target } from './delivery/target.js';
import type { Retained } from './retained.js';
import type { BrokerStats } from './stats.js';

const SUCCESS = 0;
const NO_MATCHING_SUBSCRIBERS = 0x10;
const QUOTA_EXCEEDED = 0x97;

/** Gives the keys. */
export interface Keys {
  /** Looks at the clock: what is given from now on is of this moment. */
  look(): void;
  give(): number;
}

/** Who is told what becomes of a message. */
export interface Publisher {
  /** It waits for room in a ring, and so must what its publisher sends after it; `released`: not any more. */
  held(): void;
  released(): void;
  /**
   * It is captured and on its way. `reason`: an MQTT 5 reason code. `safe`: when its streams have it as safe as they promise, and
   * those who are away can be sure to get it; null: so it is.
   */
  published(message: Message, reason: number, safe: Promise<void> | null): void;
  /** All who get it have enough to do: what comes after it should wait for one of them. */
  congested(route: Route): void;
}

/** Where retained messages are, and what waits for those who are away. */
export interface Store {
  /** When all that was put is safe; null: it is. */
  written(): Promise<void> | null;
  /** Other instances that share it; null: there are none, and nothing is done for them. */
  readonly others: { send(message: Message): void } | null;
}

/** The broker's own messages wait for nobody. */
export const NOBODY: Publisher = {
  held: () => {},
  released: () => {},
  published: () => {},
  congested: () => {},
};

export interface PipelineParts {
  readonly brokerId: string;
  readonly keys: Keys;
  readonly capture: Capture;
  readonly router: Router;
  readonly retained: Retained;
  readonly stats: BrokerStats;
  readonly store: Store;
  readonly onFault: (error: unknown) => void;
  /** Whoever wants every message as aedes knows them. */
  readonly onPublished: { wanted(): boolean; call(packet: PublishPacket): void };
}

/**
 * What happens to a message, in this order and in the order of arrival: key, capture, retained, subscribers. All of
 * it happens in the call, except when a stream has no room: then nothing of it has happened, and it is tried again
 * when there is room. The store follows behind the memory; the publisher is told when to rely on it.
 */
export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #both = new Both();

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  publish(message: Message, origin: Origin, publisher: Publisher): void {
    if (this.#enter(message, origin, publisher)) return;
    publisher.held();
    this.#wait(message, origin, publisher);
  }

  /**
   * To connected subscribers only: no key, no capture, no queue for those who are away. `busy` takes those whose
   * connection has enough to do, so that the caller can wait for them.
   */
  deliver(message: Message, busy: (target: Target) => void): void {
    const route = this.#parts.router.find(message.topic);
    this.#emit(message, route, false);
    for (const target of takersOf(route)) if (target.session.outbox?.busy === true) busy(target);
  }

  /** To functions of this process only. */
  callFunctions(message: Message): void {
    this.#call(message, this.#parts.router.find(message.topic));
  }

  /** One that was captured and kept where it was published: to the subscribers that are connected here. */
  arrived(message: Message): void {
    this.#emit(message, this.#parts.router.route(message.known), true);
  }

  /** Calls back when no subscriber of the topic has more waiting than it should. */
  whenTaken(topic: string, callback: () => void): void {
    const busy = takersOf(this.#parts.router.find(topic))
      .map(({ session }) => session.outbox)
      .filter((outbox) => outbox?.busy === true);
    let left = busy.length;
    if (left === 0) callback();
    for (const outbox of busy) outbox!.onRelief(() => --left === 0 && callback());
  }

  #wait(message: Message, origin: Origin, publisher: Publisher): void {
    this.#parts.capture.wait(origin, message, () => {
      this.#parts.keys.look();
      if (this.#enter(message, origin, publisher)) publisher.released();
      else this.#wait(message, origin, publisher);
    });
  }

  /** False: some stream has no room, and nothing has happened. */
  #enter(message: Message, origin: Origin, publisher: Publisher): boolean {
    const { keys, capture } = this.#parts;
    let taken = true;
    let captured: Promise<void> | null = null;
    if (message.known.own) {
      message.key = keys.give();
    } else {
      if (!capture.admit(origin, message)) return false;
      message.key = keys.give();
      taken = capture.take(origin, message, message.key);
      if (message.qos > 0) captured = capture.safe();
    }
    message.clientId = origin.clientId;
    const route = this.#parts.router.route(message.known);
    let reason = taken ? (route === NOWHERE ? NO_MATCHING_SUBSCRIBERS : SUCCESS) : QUOTA_EXCEEDED;
    if (message.retain && !this.#retain(message)) reason = QUOTA_EXCEEDED;
    const congested = this.#emit(message, route, true);
    if (congested) publisher.congested(route);
    const { others } = this.#parts.store;
    if (others !== null) others.send(message);
    const safe = message.qos > 0 ? this.#both.of(captured, this.#parts.store.written()) : null;
    publisher.published(message, reason, safe);
    return true;
  }

  /** False: it does not fit. */
  #retain(message: Message): boolean {
    const { retained, stats } = this.#parts;
    const fits = retained.fits(message);
    if (!fits) stats.retainedRefused++;
    retained.store(message);
    return fits;
  }

  /**
   * `keep`: sessions whose client is away or does not acknowledge it get it later. True: of those who are there,
   * all have enough to do.
   */
  #emit(message: Message, route: Route, keep: boolean): boolean {
    const { targets, shares, functions } = route;
    let free = false;
    let congested = false;
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i];
      const { session } = target;
      // The subscriber does not want what it published itself [MQTT-3.8.3-3].
      if (target.noLocal && message.clientId === session.clientId) continue;
      const qos = message.qos < target.qos ? message.qos : target.qos;
      session.deliver(message, qos, message.retain && target.retainAsPublished, target.identifiers, keep);
      const { outbox } = session;
      if (outbox === null) continue;
      if (outbox.congested) congested = true;
      else free = true;
    }
    for (let i = 0; i < shares.length; i++) {
      const outbox = this.#share(message, shares[i], keep);
      if (outbox?.congested === true) congested = true;
      else if (outbox !== null) free = true;
    }
    if (functions.length > 0) this.#call(message, route);
    const { onPublished, brokerId } = this.#parts;
    if (onPublished.wanted()) onPublished.call(message.packet(brokerId));
    return congested && !free;
  }

  /** The outbox of who is connected and has it. */
  #share(message: Message, share: Share, keep: boolean): Outbox | null {
    const taker = share.deliver(message, keep ? message.key : 0);
    if (taker === null) this.#parts.stats.dropped++;
    return taker === null ? null : taker.session.outbox;
  }

  #call(message: Message, { functions }: Route): void {
    const packet = message.packet(this.#parts.brokerId);
    for (const deliver of functions) {
      try {
        deliver(packet, noop);
      } catch (error) {
        this.#parts.onFault(error);
      }
    }
  }
}

/** Who got the last message of a route. */
function takersOf({ targets, shares }: Route): readonly Target[] {
  if (shares.length === 0) return targets;
  return [...targets, ...shares.flatMap(({ last }) => last ?? [])];
}

function noop(): void {}

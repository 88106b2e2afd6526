import type { IConnackPacket, IPublishPacket } from 'mqtt';
import { MqttStreamError, textOf } from '../errors.js';
import { Backoff } from '../recorder/backoff.js';
import { Link, type LinkEvents, type LinkOptions } from './link.js';
import type { Rule } from './rules.js';
import type { BridgeTime } from './time.js';

type LogLine = (fields: object, message: string) => void;

/** A pino logger fits. */
export interface BridgeLog {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
}

export interface RemoteParts {
  /** For logs: without user name and password. */
  readonly url: string;
  /** Made anew for each connection, since the files behind it may change. */
  readonly options: () => Promise<LinkOptions>;
  /** What is subscribed to. */
  readonly rules: readonly Rule[];
  /** Between two attempts, ms. */
  readonly reconnect: { readonly min: number; readonly max: number };
  readonly time: BridgeTime;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: BridgeLog;
  readonly onUp: (link: Link, connack: IConnackPacket) => void;
  readonly onDown: () => void;
  readonly onMessage: (link: Link, packet: IPublishPacket, done: () => void) => void;
}

/** The other broker: connected to again and again. "Up" means connected and subscribed. */
export class Remote {
  readonly #parts: RemoteParts;
  readonly #backoff: Backoff;
  #link: Link | null = null;
  #cancel: (() => void) | null = null;
  #up = false;
  /** The subscriptions of this configuration were made, in a session that may last. */
  #subscribed = false;
  /** Why the last attempt failed: what stays the same is logged once. */
  #failure = '';
  #closed = false;

  constructor(parts: RemoteParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.reconnect.min, parts.reconnect.max);
  }

  async connect(): Promise<void> {
    let options: LinkOptions;
    try {
      options = await this.#parts.options();
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (this.#closed) return;
    const events: LinkEvents = {
      up: (connack) => void this.#connected(link, connack),
      down: (reason) => this.#lost(reason),
      message: (packet, done) => this.#parts.onMessage(link, packet, done),
    };
    const link = new Link(options, events);
    this.#link = link;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#link?.close();
    if (this.#up) this.#parts.onDown();
    this.#up = false;
  }

  async #connected(link: Link, connack: IConnackPacket): Promise<void> {
    const { log, onUp, rules, url } = this.#parts;
    // A session that lasted has its subscriptions; those of an earlier process may have been others.
    if (!(this.#subscribed && connack.sessionPresent)) {
      let all = true;
      for (const rule of rules) {
        const granted = await link.subscribe(rule);
        if (this.#link !== link || this.#closed) return;
        if (!granted) log.error({ url, filter: rule.filter }, 'the other broker refused a subscription');
        all &&= granted;
      }
      this.#subscribed = all;
    }
    this.#up = true;
    this.#failure = '';
    this.#backoff.reset();
    log.info({ url }, 'the bridge is connected');
    onUp(link, connack);
  }

  #lost(reason: Error): void {
    this.#link = null;
    if (!this.#up) {
      this.#failed(reason);
      return;
    }
    this.#up = false;
    this.#parts.log.warn({ url: this.#parts.url, reason: textOf(reason) }, 'the bridge lost its connection');
    this.#parts.onDown();
    this.#again();
  }

  #failed(cause: unknown): void {
    const { log, url } = this.#parts;
    const reason = textOf(cause) || String((cause as { code?: unknown }).code);
    const error = new MqttStreamError('BROKER_UNREACHABLE', [url, reason], { cause });
    const say = reason === this.#failure ? log.debug : log.warn;
    this.#failure = reason;
    say.call(log, { err: error, code: error.code }, 'the bridge cannot connect and tries again');
    this.#again();
  }

  #again(): void {
    if (this.#closed) return;
    const { random, time } = this.#parts;
    // Vehicles that lost the same broker do not come back in the same moment.
    const pause = this.#backoff.next() * (1 - random() / 2);
    this.#cancel = time.after(pause, () => void this.connect());
  }
}

import type { BrokerStats } from '../stats.js';
import { type FigureSources, type Figures, figuresOf } from './figures.js';
import type { LatestValues } from './latest.js';
import { Load, PERIODS } from './load.js';

export const ROOT = '$SYS/broker';

/** The topics of mosquitto that hold a number, in its order, with their figure. */
const NUMBERS: readonly (readonly [topic: string, read: (figures: Figures) => number])[] = [
  ['clients/total', ({ clients }) => clients.total],
  ['clients/inactive', ({ clients }) => clients.total - clients.connected],
  ['clients/disconnected', ({ clients }) => clients.total - clients.connected],
  ['clients/active', ({ clients }) => clients.connected],
  ['clients/connected', ({ clients }) => clients.connected],
  ['clients/expired', ({ stats }) => stats.expired],
  ['messages/stored', ({ stored }) => stored.messages],
  ['messages/received', ({ stats }) => stats.packetsReceived],
  ['messages/sent', ({ stats }) => stats.packetsSent],
  ['store/messages/count', ({ stored }) => stored.messages],
  ['store/messages/bytes', ({ stored }) => stored.bytes],
  ['subscriptions/count', ({ router }) => router.subscriptionCount],
  ['shared_subscriptions/count', ({ router }) => router.sharedCount],
  ['retained messages/count', ({ retained }) => retained.count],
  ['heap/current', ({ heap }) => heap],
  ['publish/messages/dropped', ({ stats }) => stats.dropped],
  ['publish/messages/received', ({ stats }) => stats.received],
  ['publish/messages/sent', ({ stats }) => stats.sent],
  ['publish/bytes/received', ({ stats }) => stats.bytesReceived],
  ['publish/bytes/sent', ({ stats }) => stats.bytesSent],
  ['bytes/received', ({ stats }) => stats.wireBytesReceived],
  ['bytes/sent', ({ stats }) => stats.wireBytesSent],
];

/** The greatest that was seen. */
const MAXIMA: readonly (readonly [topic: string, read: (figures: Figures) => number])[] = [
  ['clients/maximum', ({ clients }) => clients.total],
  ['heap/maximum', ({ heap }) => heap],
];

/** What is counted and has averages under `load/...`. */
const LOADS: readonly (readonly [topic: string, read: (stats: BrokerStats) => number])[] = [
  ['messages/received', (stats) => stats.packetsReceived],
  ['messages/sent', (stats) => stats.packetsSent],
  ['publish/dropped', (stats) => stats.dropped],
  ['publish/received', (stats) => stats.received],
  ['publish/sent', (stats) => stats.sent],
  ['bytes/received', (stats) => stats.wireBytesReceived],
  ['bytes/sent', (stats) => stats.wireBytesSent],
  ['sockets', (stats) => stats.accepted],
  ['connections', (stats) => stats.connects],
];

export interface SysTreeParts extends FigureSources {
  readonly version: string;
  /** Between two updates, ms; 0: there are none. */
  readonly interval: number;
  readonly more: () => Iterable<readonly [topic: string, text: string]>;
  readonly values: LatestValues;
  /** Monotonic, ms. */
  readonly now: () => number;
}

/** `$SYS/broker/...` as mosquitto has it: every interval the values that have changed. */
export class SysTree {
  readonly #parts: SysTreeParts;
  readonly #loads = LOADS.map(([topic, read]) => ({ topic, read, load: new Load() }));
  readonly #maxima = new Map<string, number>();
  readonly #started: number;
  #last: number;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: SysTreeParts) {
    this.#parts = parts;
    this.#started = parts.now();
    this.#last = this.#started;
  }

  start(): void {
    const { interval, version } = this.#parts;
    if (interval === 0) return;
    this.#set('version', `mqtt-stream version ${version}`);
    this.publish();
    this.#timer = setInterval(() => this.publish(), interval);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  publish(): void {
    const now = this.#parts.now();
    const figures = figuresOf(this.#parts);
    // All of them are of before this, whatever the subscribers get now.
    const numbers = NUMBERS.map(([topic, read]) => [topic, String(read(figures))] as const);
    if (now > this.#last) {
      for (const { load, read } of this.#loads) load.add(read(figures.stats), now - this.#last);
      this.#last = now;
    }
    this.#set('uptime', `${Math.floor((now - this.#started) / 1000)} seconds`);
    for (const [topic, text] of numbers) this.#set(topic, text);
    for (const [topic, text] of this.#parts.more()) this.#set(topic, text);
    for (const [topic, read] of MAXIMA) {
      const most = Math.max(this.#maxima.get(topic) ?? 0, read(figures));
      this.#maxima.set(topic, most);
      this.#set(topic, String(most));
    }
    for (const { topic, load } of this.#loads) {
      for (const [i, average] of load.averages.entries())
        this.#set(`load/${topic}/${PERIODS[i][0]}`, average.toFixed(2));
    }
  }

  #set(topic: string, text: string): void {
    this.#parts.values.set(`${ROOT}/${topic}`, text);
  }
}

import type { FileEntry } from '../catalog/entry.js';
import type { Stream } from '../exchange/stream.js';
import type { SequenceParts } from '../query/sequence.js';
import { Bucket } from './bucket.js';
import { Follower } from './follower.js';
import { Incoming, type IncomingMessage } from './incoming.js';
import { linkOptions, type ReadFile, type RemoteOptions } from './link-options.js';
import { Live } from './live.js';
import { MissingMessages } from './missing.js';
import { type LocalMessage, OutgoingMessages } from './outgoing.js';
import { type BridgeLog, Remote } from './remote.js';
import { type Rule, Rules } from './rules.js';
import { Sender } from './sender.js';
import { BridgeStats } from './stats.js';
import type { BridgeTime } from './time.js';

export interface BridgeOptions extends RemoteOptions {
  readonly name: string;
  readonly clientId?: string;
  readonly reconnect: { readonly min: number; readonly max: number };
  readonly maxQos: 0 | 1;
  readonly inflight: number;
  /** Bytes a second. */
  readonly bandwidth: number;
  readonly queue: { readonly messages: number; readonly bytes: number };
  readonly in: readonly Rule[];
  readonly out: readonly Rule[];
}

/** The broker, as a bridge sees it. */
export interface LocalBroker {
  /** As one client; `done`: captured and routed. */
  publish(message: IncomingMessage, clientId: string, done: (error?: Error | null) => void): void;
  /** Calls with every message that matches, once; answers with what ends it. */
  subscribe(filters: readonly string[], take: (message: LocalMessage) => void): () => void;
  /** Tells everybody whether the bridge is connected. */
  showState(name: string, connected: boolean): void;
}

/** Where a bridge with a stream reads, and where it stopped. */
export interface BridgeStream {
  readonly stream: Stream;
  readonly sequence: SequenceParts;
  readonly position: number;
  readonly save: (position: number) => Promise<void>;
  readonly loaded: () => Promise<void>;
  /** A key of now. */
  readonly now: () => number;
}

export interface BridgeParts {
  readonly brokerId: string;
  readonly local: LocalBroker;
  readonly stream: BridgeStream | null;
  readonly readFile: ReadFile;
  readonly time: BridgeTime;
  readonly random: () => number;
  readonly log: BridgeLog;
}

/** One bridge: what is published here goes out, from the stream or as it is published; what comes in is published. */
export class Bridge {
  readonly name: string;
  readonly stats = new BridgeStats();
  readonly #sender: Sender;
  readonly #source: Live | Follower;
  readonly #remote: Remote;
  readonly #showState: (connected: boolean) => void;

  constructor(options: BridgeOptions, parts: BridgeParts) {
    const { bandwidth, inflight, name } = options;
    const { brokerId, local, log, random, readFile, time } = parts;
    const { stats } = this;
    this.name = name;
    this.#showState = (connected) => local.showState(name, connected);
    // What comes from the other broker is published under this id, and does not go back.
    const clientId = `bridge/${name}`;
    this.#sender = new Sender({ inflight, bucket: new Bucket(bandwidth, time.now()), time, stats, log });
    this.#source = this.#sourceOf(options, parts, clientId);
    const incoming = new Incoming({
      rules: new Rules(options.in),
      brokerId,
      stats,
      log,
      publish: (message, done) => local.publish(message, clientId, done),
    });
    const remoteId = options.clientId ?? `mqtt-stream-${name}-${brokerId}`;
    this.#remote = new Remote({
      url: options.url,
      options: () => linkOptions(options, remoteId, readFile),
      rules: options.in,
      reconnect: options.reconnect,
      time,
      random,
      log,
      onUp: (link, connack) => {
        this.#sender.attach(link, connack);
        this.#setConnected(true);
        this.#source.up();
      },
      onDown: () => {
        this.#sender.detach();
        this.#setConnected(false);
        this.#source.down();
      },
      onMessage: (link, packet, done) => incoming.take(link, packet, done),
    });
  }

  get waiting(): number {
    return this.#source.waiting;
  }

  get lagSeconds(): number {
    return this.#source.lagSeconds;
  }

  start(): void {
    this.#showState(false);
    this.#source.start();
    void this.#remote.connect();
  }

  /** Files of a stream that retention took away. */
  retired(stream: string, files: readonly FileEntry[]): void {
    if (this.#source instanceof Follower && this.#source.stream === stream) this.#source.retired(files);
  }

  async close(): Promise<void> {
    await this.#source.close();
    await this.#remote.close();
  }

  #sourceOf(options: BridgeOptions, parts: BridgeParts, clientId: string): Live | Follower {
    const { inflight, maxQos, out, queue } = options;
    const { brokerId, local, log, stream, time } = parts;
    const { stats } = this;
    const sender = this.#sender;
    const rules = new Rules(out);
    const outgoing = new OutgoingMessages({ rules, maxQos, brokerId, clientId, time }, stats);
    if (stream !== null) {
      const missing = new MissingMessages(stats, log);
      return new Follower({ ...stream, outgoing, sender, window: inflight, missing, time, log });
    }
    const filters = [...new Set(out.map(({ filter }) => filter))];
    const subscribe = (take: (message: LocalMessage) => void) => local.subscribe(filters, take);
    return new Live({ outgoing, sender, queue, stats, log, subscribe });
  }

  #setConnected(connected: boolean): void {
    this.stats.connected = connected;
    if (connected) this.stats.connections++;
    this.#showState(connected);
  }
}

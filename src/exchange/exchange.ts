import { MqttStreamError } from '../errors.js';
import { encodeSource, type Source } from '../ring/source.js';
import { encodeProperties, type KeptProperties } from './properties.js';
import type { Stream } from './stream.js';

/** A message as it comes from the broker. */
export interface Publication {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: number;
  readonly retain: boolean;
  readonly properties?: KeptProperties;
}

/** A publisher, with what is known of its topics. */
export interface Publisher {
  readonly clientId: string | null;
}

/** What all messages of one publisher on one topic have in common. */
interface Lane {
  readonly source: Source;
  readonly streams: readonly Stream[];
  readonly epoch: number;
}

class KnownPublisher implements Publisher {
  readonly lanes = new Map<string, Lane>();
  readonly clientId: string | null;

  constructor(clientId: string | null) {
    this.clientId = clientId;
  }
}

interface Waiting {
  readonly publisher: KnownPublisher;
  readonly publication: Publication;
  readonly room: () => void;
}

/** Lanes kept for one publisher; random topics empty its map, they do not fill the memory. */
const MOST_LANES = 4096;

/**
 * Copies every message into the rings of all streams that want it. Which these are is remembered for each
 * publisher and topic; adding or removing a stream makes that void. It is what the broker knows as its `Capture`.
 */
export class Exchange {
  readonly #streams = new Map<string, Stream>();
  readonly #onFlushFailed: (stream: string, error: unknown) => void;
  #epoch = 0;
  #waiting: Waiting[] = [];
  /** True while waiting messages are admitted: then others waiting are no reason to wait. */
  #admitting = false;
  /** Lane and properties of the message between `admit` and `take`. */
  #lane: Lane | null = null;
  #props: Uint8Array | null = null;

  constructor(onFlushFailed: (stream: string, error: unknown) => void) {
    this.#onFlushFailed = onFlushFailed;
  }

  /** Adds a stream; from now on it captures. */
  add(stream: Stream): void {
    if (this.#streams.has(stream.name)) throw new MqttStreamError('STREAM_EXISTS', [stream.name]);
    this.#streams.set(stream.name, stream);
    this.#epoch++;
  }

  /** Captures no more for a stream. Messages that wait for it go on without it. */
  remove(name: string): Stream {
    const stream = this.get(name);
    this.#streams.delete(name);
    this.#epoch++;
    this.admitWaiting();
    return stream;
  }

  get(name: string): Stream {
    const stream = this.find(name);
    if (stream === undefined) {
      const known = [...this.#streams.keys()].join(', ') || 'none';
      throw new MqttStreamError('STREAM_NOT_FOUND', [name, known]);
    }
    return stream;
  }

  find(name: string): Stream | undefined {
    return this.#streams.get(name);
  }

  all(): IterableIterator<Stream> {
    return this.#streams.values();
  }

  get waitingMessages(): number {
    return this.#waiting.length;
  }

  origin(clientId: string | null): Publisher {
    return new KnownPublisher(clientId);
  }

  admit(publisher: Publisher, publication: Publication): boolean {
    const lane = this.#laneOf(publisher as KnownPublisher, publication.topic);
    this.#lane = lane;
    if (lane.streams.length === 0) return true;
    this.#props = encodeProperties(publication.properties);
    const propsBytes = this.#props?.length ?? 0;
    for (const stream of lane.streams) {
      if (!stream.holdsPublishers) continue;
      if (stream.waiting > 0 && !this.#admitting) return false;
      if (!stream.hasRoom(lane.source, propsBytes, publication.payload.length)) return false;
    }
    return true;
  }

  take(_publisher: Publisher, { qos, retain, payload }: Publication, key: number): boolean {
    const { source, streams } = this.#lane!;
    if (streams.length === 0) return true;
    let taken = true;
    for (const stream of streams) {
      if (!stream.take(key, source, qos, retain, this.#props, payload)) taken = false;
    }
    return taken;
  }

  wait(publisher: Publisher, publication: Publication, room: () => void): void {
    const waiting = { publisher: publisher as KnownPublisher, publication, room };
    this.#waiting.push(waiting);
    for (const stream of this.#streamsOf(waiting)) {
      if (stream.holdsPublishers && stream.waiting++ === 0) this.#flushFull(stream);
    }
  }

  /** After room was made: those that wait go on, in their order; a stream that is full again stops those behind. */
  admitWaiting(): void {
    if (this.#waiting.length === 0 || this.#admitting) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const stream of this.#streams.values()) stream.waiting = 0;
    this.#admitting = true;
    const full = new Set<Stream>();
    const left: Waiting[] = [];
    for (const one of waiting) {
      const streams = this.#streamsOf(one);
      if (streams.some((stream) => full.has(stream)) || !this.admit(one.publisher, one.publication)) {
        for (const stream of streams) if (stream.holdsPublishers) full.add(stream);
        left.push(one);
      } else {
        one.room();
      }
    }
    this.#admitting = false;
    // What had to wait anew while others were admitted stands behind them.
    this.#waiting = [...left, ...this.#waiting];
    for (const stream of this.#streams.values()) stream.waiting = 0;
    for (const one of this.#waiting) {
      for (const stream of this.#streamsOf(one)) if (stream.holdsPublishers) stream.waiting++;
    }
    for (const stream of full) this.#flushFull(stream);
  }

  #flushFull(stream: Stream): void {
    stream.sink.flush('full').catch((error: unknown) => this.#onFlushFailed(stream.name, error));
  }

  #streamsOf({ publisher, publication }: Waiting): readonly Stream[] {
    return this.#laneOf(publisher, publication.topic).streams;
  }

  #laneOf(publisher: KnownPublisher, topic: string): Lane {
    const known = publisher.lanes.get(topic);
    if (known !== undefined && known.epoch === this.#epoch) return known;
    const streams = [...this.#streams.values()].filter((stream) => stream.wants(topic));
    const lane = {
      source: known?.source ?? encodeSource(topic, publisher.clientId),
      streams,
      epoch: this.#epoch,
    };
    if (publisher.lanes.size >= MOST_LANES && known === undefined) publisher.lanes.clear();
    publisher.lanes.set(topic, lane);
    return lane;
  }
}

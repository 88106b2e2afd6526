import { Both } from '../both.js';
import { MqttStreamError } from '../errors.js';
import { encodeSource, type Source } from '../ring/source.js';
import { encodeProperties, type KeptProperties } from './properties.js';
import type { Stream } from './stream.js';

/** A message as it comes from the broker. */
export interface Publication {
  readonly topic: string;
  /** The topic in UTF-8, and what is remembered of it for those that come soon after on the same topic. */
  readonly known: { readonly utf8: Uint8Array; memo: unknown };
  /** Its payload is `payloadAt..payloadEnd` of this: there is no view of it, which would cost as much as the copy. */
  readonly payloadBuffer: Uint8Array;
  readonly payloadAt: number;
  readonly payloadEnd: number;
  readonly qos: number;
  readonly retain: boolean;
  readonly properties?: KeptProperties | undefined;
}

/** A publisher, with what is known of its topics. */
export interface Publisher {
  readonly clientId: string | null;
}

/** What all messages of one publisher on one topic have in common. */
class Lane {
  readonly publisher: KnownPublisher;
  readonly source: Source;
  readonly streams: readonly Stream[];
  readonly epoch: number;

  constructor(publisher: KnownPublisher, source: Source, streams: readonly Stream[], epoch: number) {
    this.publisher = publisher;
    this.source = source;
    this.streams = streams;
    this.epoch = epoch;
  }
}

class KnownPublisher implements Publisher {
  /** Of topics that others publish on, too; otherwise the topic remembers the lane. */
  readonly lanes = new Map<string, Lane>();
  /** Of the topics of these. */
  characters = 0;
  /** Messages of it that wait. */
  waiting = 0;
  readonly clientId: string | null;
  readonly utf8: Uint8Array | null;

  constructor(clientId: string | null) {
    this.clientId = clientId;
    this.utf8 = clientId === null ? null : Buffer.from(clientId, 'utf8');
  }
}

interface Waiting {
  readonly publisher: KnownPublisher;
  readonly publication: Publication;
  readonly room: () => void;
  /**
   * The streams that had no room for it, or for one before it, at any time. Nothing passes it there, so that it has
   * its turn however busy they are; in its other streams everybody passes it.
   */
  readonly holds: Set<Stream>;
}

/** Messages of one publisher that are admitted in a row while others wait: a wait costs as much as several messages. */
const MOST_PASSES = 64;

/** Where nobody wants it. */
const NO_SOURCE: Source = {
  hasClient: false,
  head: new Int32Array(0),
  topicBytes: 0,
  clientBytes: 0,
  hash: 0,
};

/** Of the topics whose lanes are kept for one publisher; random topics empty its map, they do not fill the memory. */
const MOST_CHARACTERS = 512 * 1024;
/** What a lane counts besides its topic. */
const LANE_CHARACTERS = 32;

/**
 * Copies every message into the rings of all streams that want it. Which these are is remembered for each
 * topic and publisher; adding or removing a stream makes that void. It is what the broker knows as its `Capture`.
 */
export class Exchange {
  readonly #streams = new Map<string, Stream>();
  readonly #onFlushFailed: (stream: string, error: unknown) => void;
  #epoch = 0;
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>();
  /** The message whose turn it is: all others that wait are behind it. */
  #next: Publication | null = null;
  /** Its publisher, and how many more of its messages may pass those of others that wait. */
  #turn: KnownPublisher | null = null;
  #passes = 0;
  /** Lane and properties of the message between `admit` and `take`. */
  #lane: Lane | null = null;
  #props: Uint8Array | null = null;
  readonly #both = new Both();

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
    // Later: perhaps it was a message being admitted that made somebody call this.
    queueMicrotask(() => this.admitWaiting());
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
    return this.#waiting.size;
  }

  origin(clientId: string | null): Publisher {
    return new KnownPublisher(clientId);
  }

  admit(publisher: Publisher, publication: Publication): boolean {
    const lane = this.#laneOf(publisher as KnownPublisher, publication);
    this.#lane = lane;
    if (lane.streams.length === 0) return true;
    this.#props = encodeProperties(publication.properties);
    const propsBytes = this.#props?.length ?? 0;
    const payloadBytes = publication.payloadEnd - publication.payloadAt;
    const passes =
      publication === this.#next ||
      (publisher === this.#turn && this.#passes > 0 && this.#turn.waiting === 0);
    for (const stream of lane.streams) {
      if (!stream.holdsPublishers) continue;
      if (stream.waiting > 0 && !passes) return false;
      if (!stream.hasRoom(lane.source, propsBytes, payloadBytes)) return false;
    }
    if (publisher === this.#turn) this.#passes--;
    return true;
  }

  take(_publisher: Publisher, publication: Publication, key: number): boolean {
    const { source, streams } = this.#lane!;
    if (streams.length === 0) return true;
    const { qos, retain, payloadBuffer, payloadAt, payloadEnd } = publication;
    const props = this.#props;
    let taken = true;
    for (let i = 0; i < streams.length; i++) {
      const stream = streams[i];
      if (!stream.take(key, source, qos, retain, props, payloadBuffer, payloadAt, payloadEnd)) taken = false;
    }
    return taken;
  }

  safe(): Promise<void> | null {
    let safe: Promise<void> | null = null;
    for (const stream of this.#lane!.streams) {
      // One that has stopped has refused it.
      if (stream.safety !== null && stream.unpublished && !stream.stopped)
        safe = this.#both.of(safe, stream.safety.wait());
    }
    return safe;
  }

  wait(publisher: Publisher, publication: Publication, room: () => void): void {
    const waiting = { publisher: publisher as KnownPublisher, publication, room, holds: new Set<Stream>() };
    this.#waiting.add(waiting);
    waiting.publisher.waiting++;
    for (const stream of this.#obstacles(waiting, ({ waiting }) => waiting > 0)) {
      this.#hold(waiting, stream);
      if (stream.waiting === 1) this.#flushFull(stream);
    }
  }

  /** After room was made: those that wait go on, in their order; a stream that is full again stops those behind. */
  admitWaiting(): void {
    const held = new Set<Stream>();
    const full = new Set<Stream>();
    // What has to wait anew while others are admitted stands behind them, and comes last here.
    for (const waiting of this.#waiting) {
      const obstacles = this.#obstacles(waiting, (stream) => held.has(stream));
      for (const stream of obstacles) {
        this.#hold(waiting, stream);
        full.add(stream);
      }
      if (obstacles.length === 0) this.#admitNow(waiting);
      else for (const stream of waiting.holds) held.add(stream);
    }
    for (const stream of full) this.#flushFull(stream);
  }

  #admitNow(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    waiting.publisher.waiting--;
    for (const stream of waiting.holds) stream.waiting--;
    this.#next = waiting.publication;
    this.#turn = waiting.publisher;
    this.#passes = MOST_PASSES;
    try {
      waiting.room();
    } finally {
      this.#next = null;
      this.#turn = null;
    }
  }

  /** The streams that a message has to wait for: without room, or with others before it. */
  #obstacles({ publisher, publication }: Waiting, isBehind: (stream: Stream) => boolean): Stream[] {
    const { source, streams } = this.#laneOf(publisher, publication);
    const propsBytes = encodeProperties(publication.properties)?.length ?? 0;
    const payloadBytes = publication.payloadEnd - publication.payloadAt;
    return streams.filter(
      (stream) =>
        stream.holdsPublishers && (isBehind(stream) || !stream.hasRoom(source, propsBytes, payloadBytes)),
    );
  }

  #hold({ holds }: Waiting, stream: Stream): void {
    if (holds.has(stream)) return;
    holds.add(stream);
    stream.waiting++;
  }

  #flushFull(stream: Stream): void {
    stream.sink.flush('full').catch((error: unknown) => this.#onFlushFailed(stream.name, error));
  }

  #laneOf(publisher: KnownPublisher, { topic, known }: Publication): Lane {
    const { memo } = known;
    if (memo instanceof Lane && memo.epoch === this.#epoch) {
      return memo.publisher === publisher ? memo : this.#laneBesides(publisher, topic, known);
    }
    const lane = this.#newLane(publisher, topic, known.utf8);
    known.memo = lane;
    return lane;
  }

  /** The lane of a publisher on a topic that remembers that of another one, who may be gone: the last comer's is. */
  #laneBesides(publisher: KnownPublisher, topic: string, known: Publication['known']): Lane {
    const own = publisher.lanes.get(topic);
    if (own !== undefined && own.epoch === this.#epoch) return own;
    const lane = this.#newLane(publisher, topic, known.utf8);
    known.memo = lane;
    if (own === undefined) publisher.characters += topic.length + LANE_CHARACTERS;
    if (publisher.characters > MOST_CHARACTERS) {
      publisher.lanes.clear();
      publisher.characters = topic.length + LANE_CHARACTERS;
    }
    publisher.lanes.set(topic, lane);
    return lane;
  }

  #newLane(publisher: KnownPublisher, topic: string, utf8: Uint8Array): Lane {
    const streams: Stream[] = [];
    for (const stream of this.#streams.values()) if (stream.wants(topic)) streams.push(stream);
    const source = streams.length === 0 ? NO_SOURCE : encodeSource(utf8, publisher.utf8);
    return new Lane(publisher, source, streams, this.#epoch);
  }
}

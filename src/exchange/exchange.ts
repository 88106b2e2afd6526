import { Both } from '../both.js';
import { MqttStreamError } from '../errors.js';
import { KnownPublisher, type Lane, Lanes } from './lanes.js';
import { encodeProperties } from './properties.js';
import type { Publication, Publisher } from './publication.js';
import type { Stream } from './stream.js';

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

/**
 * Copies every message into the rings of all streams that want it. Which these are is remembered for each
 * topic and publisher; adding or removing a stream makes that void. It is what the broker knows as its `Capture`.
 */
export class Exchange {
  readonly #streams = new Map<string, Stream>();
  readonly #lanes = new Lanes(this.#streams);
  readonly #onFlushFailed: (stream: string, error: unknown) => void;
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
    this.#lanes.renew();
  }

  /** Captures no more for a stream. Messages that wait for it go on without it. */
  remove(name: string): Stream {
    const stream = this.get(name);
    this.#streams.delete(name);
    this.#lanes.renew();
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
    const lane = this.#lanes.of(publisher as KnownPublisher, publication);
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
    const { source, streams } = this.#lanes.of(publisher, publication);
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
}

import { Exchange } from '../../src/exchange/exchange.js';
import type { Publication, Publisher } from '../../src/exchange/publication.js';
import { type Sink, Stream, type WhenFull } from '../../src/exchange/stream.js';
import { TAIL } from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';
import { copyMessage, emptyParts, type Message } from '../../src/ring/record.js';

export interface StreamShape {
  readonly topics?: readonly string[];
  readonly exclude?: readonly string[];
  readonly messages?: number;
  readonly bytes?: number;
  readonly whenFull?: WhenFull;
}

/** A stream with a small ring and a sink that only counts. */
export function streamOf(name: string, shape: StreamShape = {}): Stream & { sink: CountingSink } {
  const { topics = ['#'], exclude = [], messages = 8, bytes = 64 * 1024, whenFull = 'flush' } = shape;
  const stream = new Stream({ name, topics, exclude, ring: { messages, bytes, whenFull } });
  return Object.assign(stream, { sink: new CountingSink() });
}

/** A sink that does nothing by itself: its stream stalls when it is full. */
export class CountingSink implements Sink {
  capturedCount = 0;
  readonly flushes: string[] = [];
  failure: Error | null = null;

  captured(): void {
    this.capturedCount++;
  }

  async flush(reason: 'request' | 'full'): Promise<void> {
    this.flushes.push(reason);
    if (this.failure !== null) throw this.failure;
  }
}

export function exchangeOf(...streams: Stream[]): Exchange {
  const exchange = new Exchange(() => {});
  for (const stream of streams) exchange.add(stream);
  return exchange;
}

export function publication(topic: string, payload: string | Uint8Array = ''): Publication {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const known = { utf8: Buffer.from(topic), memo: null };
  return {
    topic,
    known,
    payloadBuffer: bytes,
    payloadAt: 0,
    payloadEnd: bytes.length,
    qos: 1,
    retain: false,
  };
}

export function payloadOf({ payloadBuffer, payloadAt, payloadEnd }: Publication): Buffer {
  return Buffer.from(payloadBuffer.slice(payloadAt, payloadEnd));
}

/** A message that was routed, with its key and whether every stream that wanted it took it. */
export interface Routed {
  readonly publication: Publication;
  readonly key: number;
  readonly taken: boolean;
}

/** What the broker does with the exchange for a message (`Pipeline.publish`). */
export class Router {
  readonly routed: Routed[] = [];
  readonly #exchange: Exchange;
  #key: number;

  constructor(exchange: Exchange, firstKey = 1000) {
    this.#exchange = exchange;
    this.#key = firstKey;
  }

  /** The key of the next message. */
  get nextKey(): number {
    return this.#key;
  }

  /** False: it waits, and `done` is called later. */
  publish(publisher: Publisher, publication: Publication, done: () => void = () => {}): boolean {
    if (!this.#exchange.admit(publisher, publication)) {
      this.#exchange.wait(publisher, publication, () => this.publish(publisher, publication, done));
      return false;
    }
    const key = this.#key++;
    const taken = this.#exchange.take(publisher, publication, key);
    this.routed.push({ publication, key, taken });
    done();
    return true;
  }

  /** The payloads of what was routed, in order. */
  get payloads(): string[] {
    return this.routed.map(({ publication }) => payloadOf(publication).toString());
  }
}

/** The messages of a ring that are in no file. */
export function contentsOf({ ring }: Stream): Message[] {
  const parts = emptyParts();
  return Array.from({ length: ring.written - ring.reusable }, (_, i) =>
    copyMessage(ring.memory, ring.reusable + i, parts),
  );
}

export function payloadsOf(stream: Stream): string[] {
  return contentsOf(stream).map(({ payload }) => Buffer.from(payload).toString());
}

/** Writes the first `count` messages of a ring to a "file"; answers with their payloads. */
export function commit(exchange: Exchange, stream: Stream, count = Number.POSITIVE_INFINITY): string[] {
  const messages = contentsOf(stream).slice(0, count);
  if (messages.length === 0) return [];
  const recorder = new FakeRecorder(stream);
  recorder.take(messages.length);
  recorder.commit();
  exchange.admitWaiting();
  return messages.map(({ payload }) => Buffer.from(payload).toString());
}

/** What the recorder's thread does with a ring, step by step. */
export class FakeRecorder {
  /** Keys in files. */
  readonly files: number[] = [];
  /** Keys taken over and in no file. */
  batch: number[] = [];
  readonly #stream: Stream;
  readonly #reader: RingReader;
  #position: number;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#reader = new RingReader(stream.ring.memory, stream.ring.reusable);
    this.#position = stream.ring.reusable;
  }

  take(count: number): void {
    const { memory } = this.#stream.ring;
    const from = this.#reader.tail();
    this.#stream.ring.publish();
    const to = Math.min(from + count, this.#reader.written());
    this.#position = to;
    if (to === from) return;
    const keys = Array.from({ length: to - from }, (_, i) => memory.keys[(from + i) & memory.mask]!);
    if (!this.#reader.take(from, to)) throw new Error('nobody else moves the tail');
    this.batch.push(...keys);
  }

  /** The file of all that was taken is written. What the broker's thread hears of it comes by the answer. */
  write(): () => void {
    const keys = this.batch;
    const upTo = this.#position;
    this.batch = [];
    return () => {
      this.files.push(...keys);
      if (keys.length > 0) this.#stream.committed(upTo, keys.at(-1)!);
    };
  }

  commit(): void {
    this.write()();
  }

  /** The thread dies with its batch. The keys that only it had. */
  die(): number[] {
    const { ring } = this.#stream;
    const first =
      ring.reusable === ring.written ? Infinity : ring.memory.keys[ring.reusable & ring.memory.mask]!;
    const lost = this.batch.filter((key) => key < first);
    // As the recorder's client side does it.
    Atomics.store(ring.memory.control, TAIL, ring.reusable | 0);
    if (lost.length > 0) this.#stream.recorderLost();
    this.batch = [];
    return lost;
  }
}

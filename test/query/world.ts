/** A stream with ring, catalogue and files, all in memory; messages move between them when a test says so. */
import { setImmediate as turn } from 'node:timers/promises';
import { Catalog } from '../../src/catalog/catalog.js';
import type { FileEntry } from '../../src/catalog/entry.js';
import { fileName } from '../../src/catalog/naming.js';
import type { CatalogFs } from '../../src/catalog/place.js';
import { MqttStreamError } from '../../src/errors.js';
import type { Exchange } from '../../src/exchange/exchange.js';
import type { Publisher } from '../../src/exchange/publication.js';
import type { Stream } from '../../src/exchange/stream.js';
import type { FileReader, RowQuery } from '../../src/query/file-reader.js';
import { type SequenceParts, sequence } from '../../src/query/sequence.js';
import type { Message } from '../../src/ring/record.js';
import { topicMatcher } from '../../src/topics.js';
import { memoryLog } from '../catalog/parquet.js';
import {
  exchangeOf,
  FakeRecorder,
  payloadOf,
  publication,
  Router,
  type StreamShape,
  streamOf,
} from '../exchange/fixture.js';

const missing = () => Promise.reject(Object.assign(new Error('ENOENT'), { code: 'ENOENT' }));

/** A data folder without anything in it. */
class EmptyFolder implements CatalogFs {
  readonly renamed: string[] = [];
  readonly unlinked: string[] = [];
  readdir = missing;
  open = missing;
  rmdir = missing;

  async rename(from: string): Promise<void> {
    this.renamed.push(from);
  }

  async unlink(path: string): Promise<void> {
    this.unlinked.push(path);
  }
}

export class World {
  readonly stream: Stream;
  readonly exchange: Exchange;
  readonly folder = new EmptyFolder();
  readonly log = memoryLog();
  /** Everything that was captured, by key. */
  readonly messages = new Map<number, Message>();
  /** What is wrong with a file, by path; it is found out after so many rows. */
  readonly faults = new Map<string, { error: Error; after: number }>();
  /** Rows that the reader gives at once. */
  batchRows = 7;
  /** Called wherever others might get their turn. */
  meanwhile: () => void = () => {};
  readonly read: RowQuery[] = [];
  catalog!: Catalog;
  #router: Router;
  readonly #publisher: Publisher;
  #recorder: FakeRecorder;
  readonly #files = new Map<string, Message[]>();

  private constructor(name: string, shape: StreamShape) {
    this.stream = streamOf(name, shape);
    this.exchange = exchangeOf(this.stream);
    this.#router = new Router(this.exchange);
    this.#publisher = this.exchange.origin('car');
    this.#recorder = new FakeRecorder(this.stream);
  }

  static async make(shape: StreamShape = {}, name = 'vehicle'): Promise<World> {
    const world = new World(name, shape);
    world.catalog = await Catalog.open({ dataDir: '/data', fs: world.folder, log: world.log });
    return world;
  }

  get parts(): SequenceParts {
    return {
      stream: this.stream.name,
      ring: this.stream.ring,
      catalog: this.catalog,
      reader: this.reader,
      pathOf: ({ path }) => path,
      mayRead: null,
    };
  }

  /** Keys of now are `from` at least. */
  jump(from: number): void {
    this.#router = new Router(this.exchange, from);
  }

  /** Publishes one message; false: it has to wait for room. */
  publish(topic = 't', payload = ''): boolean {
    return this.#router.publish(this.#publisher, publication(topic, payload), () => this.#captured());
  }

  #captured(): void {
    if (this.stream.stats.captured === this.messages.size) return;
    const { key, publication } = this.#router.routed.at(-1)!;
    const { topic } = publication;
    const payload = payloadOf(publication);
    const common = { clientId: 'car', qos: 1, retain: false, properties: null } as const;
    this.messages.set(key, { key, topic, payload: new Uint8Array(payload), ...common });
  }

  /** Publishes so many; the key of the last one. */
  publishMany(count: number, topic?: string): number {
    for (let i = 0; i < count; i++) this.publish(topic, `${i}`);
    return this.lastKey;
  }

  get lastKey(): number {
    return this.#router.nextKey - 1;
  }

  /** The recorder takes messages over. */
  take(count: number): void {
    this.#recorder.take(count);
  }

  /** A file of what was taken; it is visible when the answer is called, as the broker's thread hears of it then. */
  write(): () => void {
    const keys = this.#recorder.batch;
    const report = this.#recorder.write();
    if (keys.length === 0) return report;
    const rows = keys.map((key) => this.messages.get(key)!);
    return () => {
      this.addFile(rows);
      report();
    };
  }

  /** Everything in the ring becomes one file. */
  commit(): void {
    this.take(Number.POSITIVE_INFINITY);
    this.write()();
    this.exchange.admitWaiting();
  }

  addFile(rows: readonly Message[], lastKey = rows.at(-1)!.key): FileEntry {
    const { name: stream } = this.stream;
    const { key: firstKey } = rows[0]!;
    const seq = this.catalog.nextSeq(stream);
    const name = fileName(firstKey, lastKey, seq);
    const path = `streams/${stream}/${name}`;
    const sizes = { rows: rows.length, bytes: 100, rawBytes: 400 };
    const entry = { stream, name, path, firstKey, lastKey, seq, ...sizes, sha256: null };
    this.#files.set(path, [...rows]);
    this.catalog.add(entry);
    return entry;
  }

  get reader(): FileReader {
    return { rows: (query: RowQuery) => this.#rows(query) } as unknown as FileReader;
  }

  async *#rows(query: RowQuery): AsyncGenerator<Message[], void> {
    this.read.push(query);
    const matches = query.topic === null ? () => true : topicMatcher(query.topic);
    const fault = this.faults.get(query.path);
    let batch: Message[] = [];
    let row = 0;
    for (const message of this.#files.get(query.path)!) {
      if (fault !== undefined && row++ === fault.after) throw fault.error;
      if (message.key < query.start || message.key > query.end || !matches(message.topic)) continue;
      batch.push(message);
      if (batch.length < this.batchRows) continue;
      await turn();
      this.meanwhile();
      yield batch;
      batch = [];
    }
    if (fault !== undefined && row <= fault.after) throw fault.error;
    this.meanwhile();
    if (batch.length > 0) yield batch;
  }
}

export function corrupt(path: string, code?: string): MqttStreamError {
  const cause = Object.assign(new Error('broken'), { code });
  return new MqttStreamError('FILE_CORRUPT', [path, 'broken'], { cause });
}

/** All that a sequence gives, and how large its batches were. */
export async function collect(
  parts: SequenceParts,
  start: number,
  end: number,
  topic: string | null = null,
  onBatch: () => void = () => {},
): Promise<Message[]> {
  const found: Message[] = [];
  for await (const batch of sequence(parts, { start, end }, topic)) {
    if (batch.length === 0) throw new Error('an empty batch');
    found.push(...batch);
    onBatch();
  }
  return found;
}

export function keysOf(messages: Iterable<{ readonly key: number }>): number[] {
  return Array.from(messages, ({ key }) => key);
}

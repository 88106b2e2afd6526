/** The search in one Parquet file, page by page; runs in the reading thread. */
import * as files from 'node:fs/promises';
import { type FileMetaData, parquetMetadataAsync, type RowGroup } from 'hyparquet';
import type { CatalogFs } from '../catalog/place.js';
import type { Message } from '../ring/record.js';
import { Keyring } from '../seal/keyring.js';
import { topicMatcher } from '../topics.js';
import { type Batch, BatchBuilder } from './batch.js';
import { Column } from './column.js';
import { parsers } from './decoding.js';
import { FileBytes } from './file-bytes.js';

/** What to read of a file. */
export interface RowQuery {
  /** Absolute. */
  readonly path: string;
  /** Keys, both inclusive. */
  readonly start: number;
  readonly end: number;
  /** A well-formed topic filter, or `null` for all. */
  readonly topic: string | null;
}

/** Magic, length of the footer, magic. */
const SMALLEST_FILE = 12;
/** One read gets the whole footer of nearly every file. */
const TAIL_BYTES = 64 * 1024;

/**
 * The messages that `query` asks for, in key order. Every page is an asynchronous read, so that other scans get
 * their turn; ends early when `signal` is aborted. Throws whatever is wrong with the file.
 */
export async function* scanFile(
  query: RowQuery,
  signal: AbortSignal,
  keyring = Keyring.EMPTY,
  fs: Pick<CatalogFs, 'open'> = files,
): AsyncGenerator<Batch, void> {
  const file = await FileBytes.open(query.path, keyring, fs);
  try {
    if (file.byteLength < SMALLEST_FILE) throw new Error(`${file.byteLength} bytes are too few`);
    const metadata = await parquetMetadataAsync(file, {
      parsers,
      geoparquet: false,
      initialFetchSize: TAIL_BYTES,
    });
    const scan = new FileScan(file, metadata, query, signal);
    for (const group of metadata.row_groups) yield* scan.group(group);
    yield* scan.rest();
  } finally {
    await file.close();
  }
}

class FileScan {
  readonly #file: FileBytes;
  readonly #metadata: FileMetaData;
  readonly #query: RowQuery;
  readonly #matches: (topic: string) => boolean;
  readonly #signal: AbortSignal;
  readonly #batch = new BatchBuilder();
  #lastKey = 0;

  constructor(file: FileBytes, metadata: FileMetaData, query: RowQuery, signal: AbortSignal) {
    this.#file = file;
    this.#metadata = metadata;
    this.#query = query;
    this.#matches = query.topic === null ? () => true : topicMatcher(query.topic);
    this.#signal = signal;
  }

  /** All full batches up to the end of `group`. */
  async *group(group: RowGroup): AsyncGenerator<Batch, void> {
    if (!this.#overlaps(group)) return;
    const { start, end } = this.#query;
    const column = (name: string) => new Column(this.#file, this.#metadata, group, name);
    const keys = column('ts');
    const topics = column('topic');
    const others = ['client_id', 'qos', 'retain', 'properties', 'payload'].map(column);
    const rows = Number(group.num_rows);
    let row = await keys.seek(start);
    while (row < rows && this.#lastKey <= end && !this.#signal.aborted) {
      await Promise.all([keys.load(row), topics.load(row)]);
      const pageEnd = Math.min(keys.end, topics.end);
      while (row < pageEnd && !this.#wants(row, keys, topics)) row++;
      if (row === pageEnd) continue;
      // Only now: pages without a row that is wanted are not even read.
      await Promise.all(others.map((other) => other.load(row)));
      const runEnd = others.reduce((least, other) => Math.min(least, other.end), pageEnd);
      for (; row < runEnd; row++) {
        if (!this.#wants(row, keys, topics)) continue;
        this.#batch.add(messageAt(row, this.#lastKey, topics, others));
        if (this.#batch.full) yield this.#batch.take();
      }
    }
  }

  *rest(): Generator<Batch, void> {
    if (!this.#batch.empty) yield this.#batch.take();
  }

  #overlaps(group: RowGroup): boolean {
    const chunk = group.columns.find(({ meta_data: meta }) => meta?.path_in_schema[0] === 'ts');
    const { min_value: least, max_value: most } = chunk?.meta_data?.statistics ?? {};
    if (typeof least !== 'number' || typeof most !== 'number') return true;
    return least <= this.#query.end && most >= this.#query.start;
  }

  #wants(row: number, keys: Column, topics: Column): boolean {
    const key = keys.number(row);
    if (!Number.isSafeInteger(key)) throw new Error(`row ${row} has no usable key`);
    if (key < this.#lastKey) throw new Error(`its keys do not ascend: ${key} follows ${this.#lastKey}`);
    this.#lastKey = key;
    if (key < this.#query.start || key > this.#query.end) return false;
    const topic = topics.value(row);
    if (typeof topic !== 'string') throw new Error(`row ${row} has no topic`);
    return this.#matches(topic);
  }
}

function messageAt(row: number, key: number, topics: Column, others: readonly Column[]): Message {
  const [clientId, qos, retain, properties, payload] = others.map((other) => other.value(row));
  const sound =
    (clientId === null || typeof clientId === 'string') &&
    (qos === 0 || qos === 1 || qos === 2) &&
    typeof retain === 'boolean' &&
    (properties === null || typeof properties === 'string') &&
    payload instanceof Uint8Array;
  if (!sound) throw new Error(`row ${row} has a value that the recorder does not write`);
  return { key, topic: topics.value(row) as string, clientId, qos, retain, properties, payload };
}

import { join } from 'node:path';
import {
  CORRUPT_SUFFIX,
  JOURNAL_FOLDER,
  parseSegmentName,
  segmentName,
  streamFolder,
} from '../../catalog/naming.js';
import type { RecordParts } from '../../ring/record.js';
import { Batch } from '../batch.js';
import type { Disk } from '../disk.js';
import { BlockReader } from './block-reader.js';
import { isSegment, SEGMENT_HEADER_BYTES } from './segment.js';

/** The keys that a segment is asked for. */
export interface Wanted {
  /** Those up to this are in files. */
  after: number;
  /** Those from this on are in the ring. */
  readonly before: number;
}

export interface Recovered {
  /** Valid until the next segment is read. */
  readonly batch: Batch;
  /** Some of its rows are in the ring: it is needed until the next file is committed. */
  readonly shared: boolean;
  /** Bytes behind the last whole block. */
  readonly torn: number;
}

/** The segments that an earlier process, or an earlier thread of this one, has left of a stream; the oldest first. */
export class Recovery {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #numbers: number[];
  readonly #batch = new Batch();
  readonly #wanted: Wanted;

  constructor(disk: Disk, dataDir: string, stream: string, wanted: Wanted) {
    this.#disk = disk;
    this.#folder = join(dataDir, streamFolder(stream), JOURNAL_FOLDER);
    this.#wanted = { ...wanted };
    const numbers = disk.list(this.#folder).map(parseSegmentName);
    this.#numbers = numbers.filter((number) => number !== null).sort((a, b) => a - b);
  }

  /** The number of the stream's next segment. */
  get nextNumber(): number {
    return (this.#numbers.at(-1) ?? 0) + 1;
  }

  /** The name of the segment that is next; null: there is none. */
  get next(): string | null {
    const [number] = this.#numbers;
    return number === undefined ? null : segmentName(number);
  }

  get left(): number {
    return this.#numbers.length;
  }

  /** The rows of the next segment that are nowhere else; null: it is none, and was set aside. Throws what the disk throws. */
  read(): Recovered | null {
    const number = this.#numbers[0]!;
    const path = join(this.#folder, segmentName(number));
    const bytes = this.#bytes(path);
    const batch = this.#batch;
    const wanted = this.#wanted;
    batch.clear();
    // A crash may come before the header was written.
    if (bytes.length < SEGMENT_HEADER_BYTES) return { batch, shared: false, torn: bytes.length };
    if (!isSegment(bytes, number)) {
      this.#disk.rename(path, path + CORRUPT_SUFFIX);
      this.#numbers.shift();
      return null;
    }
    let shared = false;
    const reader = new BlockReader(bytes, SEGMENT_HEADER_BYTES, number);
    const take = (parts: RecordParts) => {
      if (parts.key >= wanted.before) shared = true;
      else if (parts.key > Math.max(wanted.after, batch.rows === 0 ? 0 : batch.lastKey)) {
        batch.reserve(1);
        batch.append(reader.memory, parts);
      }
    };
    while (reader.next(take));
    return { batch, shared, torn: bytes.length - reader.at };
  }

  /** The rows of the segment that was read last are in a file, or there were none. `keep`: the segment stays. */
  done(keep: boolean): void {
    if (this.#batch.rows > 0) this.#wanted.after = this.#batch.lastKey;
    if (!keep) this.#disk.remove(join(this.#folder, segmentName(this.#numbers[0]!)));
    this.#numbers.shift();
  }

  #bytes(path: string): Uint8Array {
    const file = this.#disk.open(path, 'r');
    try {
      let bytes = new Uint8Array(1024 * 1024);
      let length = 0;
      for (;;) {
        const read = this.#disk.read(file, bytes.subarray(length), length);
        if (read === 0) return bytes.subarray(0, length);
        length += read;
        if (length === bytes.length) {
          const larger = new Uint8Array(length * 2);
          larger.set(bytes);
          bytes = larger;
        }
      }
    } finally {
      this.#disk.close(file);
    }
  }
}

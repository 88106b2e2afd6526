import { join } from 'node:path';
import { CORRUPT_SUFFIX, JOURNAL_FOLDER, parseSegmentName, streamFolder } from '../../catalog/naming.js';
import type { RecordParts } from '../../ring/record.js';
import type { Keyring } from '../../seal/keyring.js';
import { isSealedName } from '../../seal/offered.js';
import { Batch } from '../batch.js';
import type { Disk } from '../disk.js';
import { BlockReader } from './block-reader.js';
import { isHeaderTorn, isSegment, SEGMENT_HEADER_BYTES, segmentBytes } from './segment.js';

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
  /** It was encrypted. */
  readonly sealed: boolean;
  /** Some of its rows are in the ring: it is needed until the next file is committed. */
  readonly shared: boolean;
  /** Bytes behind the last whole block. */
  readonly torn: number;
  /** Why the block behind it is not what was written, although it is whole; null: there is none such. */
  readonly tampered: string | null;
}

/** The segments that an earlier process, or an earlier thread of this one, has left of a stream; the oldest first. */
export class Recovery {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #keyring: Keyring;
  /** Of segments, in the order of their numbers. */
  readonly #names: string[];
  readonly #batch = new Batch();
  #read: Recovered | null = null;
  readonly #wanted: Wanted;

  /** `keyring`: for segments that are encrypted, whether or not the stream still is. */
  constructor(disk: Disk, dataDir: string, stream: string, wanted: Wanted, keyring: Keyring) {
    this.#disk = disk;
    this.#folder = join(dataDir, streamFolder(stream), JOURNAL_FOLDER);
    this.#wanted = { ...wanted };
    this.#keyring = keyring;
    // Their numbers stand in front, and are equally long.
    this.#names = disk
      .list(this.#folder)
      .filter((name) => parseSegmentName(name) !== null)
      .sort();
  }

  /** The number of the stream's next segment. */
  get nextNumber(): number {
    const last = this.#names.at(-1);
    return last === undefined ? 1 : numberOf(last) + 1;
  }

  /** The name of the segment that is next; null: there is none. */
  get next(): string | null {
    return this.#names[0] ?? null;
  }

  get left(): number {
    return this.#names.length;
  }

  /** The rows of the next segment that are nowhere else; null: it is none, and was set aside. Throws what the disk throws. */
  read(): Recovered | null {
    const name = this.#names[0]!;
    const number = numberOf(name);
    const sealed = isSealedName(name);
    const path = join(this.#folder, name);
    const stored = this.#bytes(path);
    const { bytes, rest, tampered } = segmentBytes(path, stored, this.#keyring);
    const batch = this.#batch;
    const wanted = this.#wanted;
    batch.clear();
    if (isHeaderTorn(name, stored)) {
      this.#read = { batch, sealed, shared: false, torn: stored.length, tampered: null };
      return this.#read;
    }
    if (!isSegment(bytes, number)) {
      this.#leave(true);
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
    this.#read = { batch, sealed, shared, torn: bytes.length - reader.at + rest, tampered };
    return this.#read;
  }

  /** The rows of the segment that was read last, and are not in the ring, are in a file. One with other rows stays. */
  done(): void {
    const { batch, shared, tampered } = this.#read!;
    if (batch.rows > 0) this.#wanted.after = batch.lastKey;
    if (shared) this.#names.shift();
    else this.#leave(tampered !== null);
  }

  /** `aside`: the next segment is kept for people to look at. */
  #leave(aside: boolean): void {
    const path = join(this.#folder, this.#names[0]!);
    if (aside) this.#disk.rename(path, path + CORRUPT_SUFFIX);
    else this.#disk.remove(path);
    this.#names.shift();
  }

  #bytes(path: string): Buffer {
    const file = this.#disk.open(path, 'r');
    try {
      let bytes = Buffer.alloc(1024 * 1024);
      let length = 0;
      for (;;) {
        const read = this.#disk.read(file, bytes.subarray(length), length);
        if (read === 0) return bytes.subarray(0, length);
        length += read;
        if (length === bytes.length) {
          const larger = Buffer.alloc(length * 2);
          bytes.copy(larger);
          bytes = larger;
        }
      }
    } finally {
      this.#disk.close(file);
    }
  }
}

function numberOf(name: string): number {
  return parseSegmentName(name)!;
}

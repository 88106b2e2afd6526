import { join } from 'node:path';
import { CORRUPT_SUFFIX, JOURNAL_FOLDER, parseSegmentName, streamFolder } from '../../catalog/naming.js';
import type { RecordParts } from '../../ring/record.js';
import type { Keyring } from '../../seal/keyring.js';
import { isSealedName } from '../../seal/offered.js';
import { Batch } from '../batch.js';
import type { Disk } from '../disk.js';
import { BlockReader } from './block-reader.js';
import { Filed } from './filed.js';
import { isHeaderTorn, isSegment, SEGMENT_HEADER_BYTES, segmentBytes } from './segment.js';

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

/**
 * The segments that an earlier process, or an earlier thread of this one, has left of a stream; the oldest first. All calls throw
 * what the disk throws, and may be repeated then.
 */
export class Recovery {
  readonly #disk: Disk;
  readonly #dataDir: string;
  readonly #stream: string;
  readonly #folder: string;
  readonly #keyring: Keyring;
  readonly #batch = new Batch();
  /** Keys from this on are in the ring. */
  readonly #ringKey: number;
  /** `names`: of segments, in the order of their numbers. */
  #listed: { readonly names: string[]; readonly nextNumber: number; readonly filed: Filed } | null = null;
  /** Of the rows that were put into files: those in later segments with keys up to this are among them. */
  #lastKey = -1;
  #read: Recovered | null = null;

  /** `keyring`: for segments that are encrypted, whether or not the stream still is. */
  constructor(disk: Disk, dataDir: string, stream: string, ringKey: number, keyring: Keyring) {
    this.#disk = disk;
    this.#dataDir = dataDir;
    this.#stream = stream;
    this.#folder = join(dataDir, streamFolder(stream), JOURNAL_FOLDER);
    this.#keyring = keyring;
    this.#ringKey = ringKey;
  }

  /** Before the stream writes its first file, which would be taken for one that was left. */
  begin(): void {
    this.#list();
  }

  /** The number of the stream's next segment. */
  get nextNumber(): number {
    return this.#list().nextNumber;
  }

  /** The name of the segment that is next; null: there is none. */
  get next(): string | null {
    return this.#list().names[0] ?? null;
  }

  get left(): number {
    return this.#list().names.length;
  }

  /** The rows of the next segment that are nowhere else; null: it is none, and was set aside. */
  read(): Recovered | null {
    const { filed, names } = this.#list();
    const name = names[0]!;
    const number = numberOf(name);
    const sealed = isSealedName(name);
    const path = join(this.#folder, name);
    const stored = this.#bytes(path);
    const { bytes, rest, tampered } = segmentBytes(path, stored, this.#keyring);
    const batch = this.#batch;
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
      const { key } = parts;
      if (key >= this.#ringKey) shared = true;
      else if (key > Math.max(this.#lastKey, batch.rows === 0 ? 0 : batch.lastKey) && !filed.has(key)) {
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
    if (batch.rows > 0) this.#lastKey = batch.lastKey;
    if (shared) this.#list().names.shift();
    else this.#leave(tampered !== null);
  }

  #list() {
    if (this.#listed === null) {
      const found = this.#disk.list(this.#folder);
      // Their numbers stand in front, and are equally long.
      const names = found.filter((name) => parseSegmentName(name) !== null).sort();
      // A thread that has ended may not have synced them, and the next one tells that all before its own rows is safe.
      for (const name of names) this.#sync(join(this.#folder, name));
      const last = names.at(-1);
      const filed = new Filed(this.#disk, this.#dataDir, this.#stream, this.#ringKey);
      this.#listed = { names, nextNumber: last === undefined ? 1 : numberOf(last) + 1, filed };
    }
    return this.#listed;
  }

  /** `aside`: the next segment is kept for people to look at. */
  #leave(aside: boolean): void {
    const { names } = this.#list();
    const path = join(this.#folder, names[0]!);
    if (aside) this.#disk.rename(path, path + CORRUPT_SUFFIX);
    else this.#disk.remove(path);
    names.shift();
  }

  #sync(path: string): void {
    const file = this.#disk.open(path, 'r');
    try {
      this.#disk.syncData(file);
    } finally {
      this.#disk.close(file);
    }
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

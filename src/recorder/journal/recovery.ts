import { join } from 'node:path';
import { CORRUPT_SUFFIX, JOURNAL_FOLDER, parseSegmentName, streamFolder } from '../../catalog/naming.js';
import type { RecordParts } from '../../ring/record.js';
import type { Keyring } from '../../seal/keyring.js';
import { isSealedName } from '../../seal/offered.js';
import { Batch } from '../batch.js';
import { type Disk, syncPath } from '../disk.js';
import type { FileNumbers } from '../protocol.js';
import { BlockReader } from './block-reader.js';
import { Filed } from './filed.js';
import { isHeaderTorn, isSegment, keyBefore, SEGMENT_HEADER_BYTES, segmentBytes } from './segment.js';

export interface Recovered {
  /** Of the segment. */
  readonly name: string;
  /** Its rows that are nowhere else. */
  readonly batch: Batch;
  /** It was encrypted. */
  readonly sealed: boolean;
  /** The highest key of its rows that are in the ring: it is needed until these are in files; null: it has none. */
  readonly inRing: number | null;
  /** Rows that came before them are nowhere. */
  readonly incomplete: boolean;
  /** Bytes behind the last whole block. */
  readonly torn: number;
  /** Why it is kept for people to look at; null: it is not. */
  readonly fault: string | null;
}

/** Whose journal was left. */
export interface Left {
  readonly name: string;
  /** Keys from this on are in the ring. */
  readonly ringKey: number;
  readonly numbers: FileNumbers;
  /** What is old enough has to survive a power cut. */
  readonly synced: boolean;
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
  /** Those that nobody reads. */
  readonly #batches: Batch[] = [];
  readonly #ringKey: number;
  readonly #numbers: FileNumbers;
  readonly #synced: boolean;
  /** `names`: of segments, in the order of their numbers. */
  #listed: { readonly names: string[]; readonly nextNumber: number; readonly filed: Filed } | null = null;
  /** Of the rows that were read: those in later segments with keys up to this are among them. */
  #lastKey = -1;

  /** `keyring`: for segments that are encrypted, whether or not the stream still is. */
  constructor(disk: Disk, dataDir: string, { name, ringKey, numbers, synced }: Left, keyring: Keyring) {
    this.#disk = disk;
    this.#dataDir = dataDir;
    this.#stream = name;
    this.#folder = join(dataDir, streamFolder(name), JOURNAL_FOLDER);
    this.#keyring = keyring;
    this.#ringKey = ringKey;
    this.#synced = synced;
    this.#numbers = numbers;
  }

  /** Before the stream writes its first file, which would be taken for one that was left. */
  begin(): void {
    this.#list();
  }

  /** The number of the stream's first file of this thread's. */
  get firstFile(): number {
    return this.#list().filed.nextNumber;
  }

  /** The number of the stream's next segment. */
  get nextNumber(): number {
    return this.#list().nextNumber;
  }

  /** The name of the segment that is next; null: there is none. */
  get next(): string | null {
    return this.#list().names[0] ?? null;
  }

  /** Segments that were not read. */
  get left(): number {
    return this.#list().names.length;
  }

  /** The next segment. */
  read(): Recovered {
    const { filed, names } = this.#list();
    const name = names[0]!;
    const number = numberOf(name);
    const sealed = isSealedName(name);
    const path = join(this.#folder, name);
    const stored = this.#bytes(path);
    const { bytes, rest, tampered } = segmentBytes(path, stored, this.#keyring);
    const isWhole = isSegment(bytes, number);
    const batch = this.#batches.pop() ?? new Batch();
    const before = isWhole ? keyBefore(bytes) : 0;
    const incomplete = before > this.#lastKey && before < this.#ringKey && before > 0 && !filed.has(before);
    let inRing: number | null = null;
    const reader = new BlockReader(bytes, SEGMENT_HEADER_BYTES, number);
    const take = (parts: RecordParts) => {
      const { key } = parts;
      if (key >= this.#ringKey) inRing = Math.max(inRing ?? 0, key);
      else if (key > Math.max(this.#lastKey, batch.rows === 0 ? 0 : batch.lastKey) && !filed.has(key)) {
        batch.reserve(1);
        batch.append(reader.memory, parts);
      }
    };
    if (isWhole) while (reader.next(take));
    if (batch.rows > 0) this.#lastKey = batch.lastKey;
    names.shift();
    const common = { name, batch, sealed, inRing, incomplete };
    if (isWhole) {
      const fault = tampered === null ? null : `was changed by somebody: ${tampered}`;
      return { ...common, torn: bytes.length - reader.at + rest, fault };
    }
    const isTorn = isHeaderTorn(name, stored);
    return { ...common, torn: isTorn ? stored.length : 0, fault: isTorn ? null : 'cannot be read' };
  }

  /** The rows that were read are in a file. */
  done({ batch }: Recovered): void {
    batch.clear();
    this.#batches.push(batch);
  }

  /** All that is known of a segment is on the disk elsewhere: it goes, or is set aside. */
  leave({ fault, name }: Recovered): void {
    const path = join(this.#folder, name);
    if (fault === null) this.#disk.remove(path);
    else this.#disk.rename(path, path + CORRUPT_SUFFIX);
  }

  #list() {
    if (this.#listed === null) {
      const found = this.#disk.list(this.#folder);
      // Their numbers stand in front, and are equally long.
      const names = found.filter((name) => parseSegmentName(name) !== null).sort();
      // What a process wrote just before it died it did not sync: a power cut that comes now would take it, however old it is.
      if (this.#synced) for (const name of names) syncPath(this.#disk, join(this.#folder, name));
      if (this.#synced && names.length > 0) syncPath(this.#disk, this.#folder);
      const last = names.at(-1);
      const filed = new Filed(this.#disk, this.#dataDir, this.#stream, this.#numbers);
      this.#listed = { names, nextNumber: last === undefined ? 1 : numberOf(last) + 1, filed };
    }
    return this.#listed;
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

import { join } from 'node:path';
import { JOURNAL_FOLDER, STREAMS_FOLDER, segmentName, streamFolder } from '../../catalog/naming.js';
import type { Keyring } from '../../seal/keyring.js';
import { LogSealer } from '../../seal/log.js';
import type { Batch } from '../batch.js';
import { type Disk, syncPath } from '../disk.js';
import { BlockMaker, type Written } from './block.js';
import { segmentHeader } from './segment.js';

/** A segment that is there, and goes when all messages up to this key are in files. */
interface Kept {
  readonly name: string;
  /** Infinity: those of the batch, which grows. */
  upTo: number;
}

interface Segment {
  readonly number: number;
  readonly file: number;
  /** null: anybody may read it. */
  readonly sealer: LogSealer | null;
  blocks: number;
}

const NOTHING: Written = { rows: 0, names: 0 };

/**
 * The journal of one stream: what its batch has and no file has. Whatever the disk throws, the calls throw; then the segment is
 * given up, since nobody knows what of it is on the disk, and the next `write` begins another one with the whole batch.
 */
export class Journal {
  readonly #disk: Disk;
  readonly #dataDir: string;
  readonly #folder: string;
  readonly #keyring: Keyring | null;
  readonly #blocks = new BlockMaker();
  /** Of the next segment; before the first one, who knows it. */
  #number: number | (() => number);
  #segment: Segment | null = null;
  #written = NOTHING;
  #dirty = false;
  /** Folders with entries that may not be on the disk: those above the journal's may be new, too. */
  readonly #unsynced: Set<string>;
  /** Oldest first. */
  readonly #kept: Kept[] = [];
  /** Of the last row before the batch; 0: it is in a file. */
  #keyBefore = 0;
  /** Bytes written and syncs since the start. */
  bytes = 0;
  syncs = 0;

  /** `next`: the number of its first segment; throws what the disk throws. `keyring`: null if segments are not encrypted. */
  constructor(
    disk: Disk,
    dataDir: string,
    stream: string,
    next: () => number,
    keyring: Keyring | null = null,
  ) {
    this.#disk = disk;
    this.#dataDir = dataDir;
    this.#folder = `${streamFolder(stream)}/${JOURNAL_FOLDER}`;
    this.#keyring = keyring;
    this.#number = next;
    this.#unsynced = new Set([join(this.#folder, '..'), STREAMS_FOLDER, '.']);
  }

  /** All rows of the batch are written. */
  has(batch: Batch): boolean {
    return this.#written.rows === batch.rows;
  }

  /** Something was written and not synced. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /** Hands the rows that are not in it yet to the operating system. */
  write(batch: Batch): void {
    this.#orGiveUp(() => {
      const segment = this.#segment ?? this.#begin();
      const columns = batch.columns();
      this.#dirty = true;
      this.#write(segment, this.#blocks.make(columns, this.#written, segment.number, segment.blocks));
      segment.blocks++;
      this.#written = { rows: columns.rows, names: columns.names };
    });
  }

  /** What was written survives a power cut. */
  sync(): void {
    if (!this.#dirty) return;
    this.#orGiveUp(() => {
      if (this.#segment !== null) this.#disk.syncData(this.#segment.file);
      this.#syncFolders();
      this.syncs++;
    });
    this.#dirty = false;
  }

  /** A segment of before: its messages up to this key will be in files of the stream, too. */
  adopt(name: string, upTo: number): void {
    this.#kept.push({ name, upTo });
  }

  /** The segment, which has all rows of the batch, gets no more. `synced`: it survives a power cut. */
  finish(synced: boolean): void {
    if (synced) this.sync();
    this.#orGiveUp(() => this.#close());
  }

  /** The batch goes into a file; the next `write` is of another one, in another segment. `lastKey`: of its last row. */
  turn(lastKey: number): void {
    try {
      this.#close();
    } catch {
      // It was not finished: nobody relies on it.
    }
    for (const kept of this.#kept) if (kept.upTo === Number.POSITIVE_INFINITY) kept.upTo = lastKey;
    this.#written = NOTHING;
    this.#dirty = false;
    this.#keyBefore = lastKey;
  }

  /** Messages up to this key are in files. Throws what the disk throws: then a segment is left, and its rows are known to be in a file. */
  retire(lastKey: number): void {
    if (this.#keyBefore <= lastKey) this.#keyBefore = 0;
    for (const kept of this.#kept.filter(({ upTo }) => upTo <= lastKey)) {
      this.#disk.remove(join(this.#dataDir, this.#folder, kept.name));
      this.#kept.splice(this.#kept.indexOf(kept), 1);
    }
  }

  #begin(): Segment {
    const number = typeof this.#number === 'number' ? this.#number : this.#number();
    this.#number = number + 1;
    const sealer = this.#keyring === null ? null : new LogSealer(this.#keyring);
    const name = segmentName(number, sealer !== null);
    this.#disk.makeFolder(join(this.#dataDir, this.#folder));
    this.#unsynced.add(this.#folder);
    // Whatever becomes of it, it goes when the batch is in a file.
    this.#kept.push({ name, upTo: Number.POSITIVE_INFINITY });
    const file = this.#disk.open(join(this.#dataDir, this.#folder, name), 'w');
    this.#segment = { number, file, sealer, blocks: 0 };
    if (sealer !== null) this.#append(file, sealer.header);
    this.#write(this.#segment, [segmentHeader(number, this.#keyBefore)]);
    return this.#segment;
  }

  /** A block, or the header. */
  #write({ file, sealer }: Segment, parts: readonly Uint8Array[]): void {
    for (const piece of sealer === null ? parts : sealer.entries(parts)) this.#append(file, piece);
  }

  #append(file: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += this.#disk.write(file, bytes.subarray(done));
    this.bytes += bytes.length;
  }

  #syncFolders(): void {
    for (const folder of this.#unsynced) {
      syncPath(this.#disk, join(this.#dataDir, folder));
      this.#unsynced.delete(folder);
    }
  }

  #orGiveUp(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#written = NOTHING;
      this.#dirty = true;
      this.#close();
      throw error;
    }
  }

  #close(): void {
    const segment = this.#segment;
    this.#segment = null;
    if (segment !== null) this.#disk.close(segment.file);
  }
}

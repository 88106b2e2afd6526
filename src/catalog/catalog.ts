/** The catalogue of committed files: which there are, what keys they hold, how long they stay. */
import { MqttStreamError } from '../errors.js';
import { Disposal } from './disposal.js';
import {
  type ClockRecord,
  compareEntries,
  type DroppedFile,
  type FileEntry,
  type KeyRange,
} from './entry.js';
import type { Place } from './place.js';
import { setAside } from './quarantine.js';
import { expired, type Retention } from './retention.js';
import { type Scanned, scan } from './scan.js';
import { Shelf } from './shelf.js';

/** A higher number was not made by counting, and counting on from it would leave the safe integers. */
const HIGHEST_SEQ = 2 ** 52;

export interface Totals {
  readonly files: number;
  readonly bytes: number;
  readonly rows: number;
}

export class Catalog {
  readonly #place: Place;
  readonly #disposal: Disposal;
  readonly #shelves = new Map<string, Shelf>();
  readonly #highestSeq = new Map<string, number>();
  readonly #corrections: readonly ClockRecord[];
  /** Files that were found corrupt at the start, now or earlier, or could not be opened. */
  readonly dropped: readonly DroppedFile[];
  /** A file turned out to be corrupt and is not listed any more. */
  onDropped: (file: DroppedFile) => void = () => {};
  #maxKey = 0;

  private constructor(place: Place, { accepted, dropped, seqs }: Scanned) {
    this.#place = place;
    this.dropped = dropped;
    this.#disposal = new Disposal(place);
    for (const { stream, seq } of seqs) this.#sawSeq(stream, seq);
    const files = [...accepted].sort((a, b) => compareEntries(a.entry, b.entry));
    for (const { entry } of files) this.add(entry);
    this.#corrections = files.flatMap(({ clock }) => (clock === null ? [] : [clock]));
  }

  /**
   * Reads what is on disk, however much is broken: corrupt files are set aside, temporary files of an earlier
   * run committed or removed, other things left alone; each is logged. Throws `DATA_DIR_UNUSABLE` if a folder
   * cannot be listed: an incomplete catalogue would hide messages.
   */
  static async open(place: Place): Promise<Catalog> {
    const catalog = new Catalog(place, await scan(place));
    for (const stream of catalog.streams()) {
      place.log.info({ stream, ...catalog.totals(stream) }, 'files of the stream found');
    }
    return catalog;
  }

  /** Names of the streams that have files, in order. */
  streams(): string[] {
    return [...this.#shelves.keys()].filter((stream) => this.totals(stream).files > 0).sort();
  }

  /**
   * The stream's files that overlap one of `ranges`, all without; ascending by first key. Who reads them over
   * more than one turn pins them in this turn.
   */
  files(stream: string, ranges?: readonly KeyRange[]): FileEntry[] {
    const shelf = this.#shelves.get(stream);
    if (shelf === undefined) return [];
    return ranges === undefined ? [...shelf.files] : shelf.within(ranges);
  }

  /** The first of `files(stream, [range])`, without making a list of them. */
  first(stream: string, range: KeyRange): FileEntry | undefined {
    return this.#shelves.get(stream)?.first(range);
  }

  find(stream: string, name: string): FileEntry | undefined {
    return this.#shelves.get(stream)?.files.find((file) => file.name === name);
  }

  totals(stream: string): Totals {
    return this.#shelves.get(stream)?.totals ?? { files: 0, bytes: 0, rows: 0 };
  }

  /** The lowest key in a file of the stream, microseconds; `null` without files. */
  earliestKey(stream: string): number | null {
    return this.#shelves.get(stream)?.files[0]?.firstKey ?? null;
  }

  /** The highest key that was in a file of any stream in this run, deleted ones included; 0 if none. */
  maxKey(): number {
    return this.#maxKey;
  }

  /** A number for a new file of the stream: above all on disk and all given out before. */
  nextSeq(stream: string): number {
    const seq = (this.#highestSeq.get(stream) ?? 0) + 1;
    this.#highestSeq.set(stream, seq);
    return seq;
  }

  /** What the files found at the start say of their clocks, ascending by first key. */
  corrections(): readonly ClockRecord[] {
    return this.#corrections;
  }

  /** A file that is whole and has its name; to be called in the turn in which the ring lets its messages go. */
  add(entry: FileEntry): void {
    const { stream, path, firstKey, lastKey, seq } = entry;
    const shelf = this.#shelves.get(stream) ?? new Shelf();
    if (shelf.get(path) !== undefined) {
      throw new MqttStreamError('INTERNAL', [`the file ${path} was added twice`]);
    }
    const [twin] = shelf.within([{ start: firstKey, end: lastKey }]);
    if (twin !== undefined) {
      this.#place.log.warn({ stream, file: path, overlaps: twin.path }, 'two files have keys of one range');
    }
    shelf.add(entry);
    this.#shelves.set(stream, shelf);
    this.#maxKey = Math.max(this.#maxKey, lastKey);
    this.#sawSeq(stream, seq);
  }

  setSha256(entry: FileEntry, hex: string): void {
    const listed = this.#shelves.get(entry.stream)?.get(entry.path);
    if (listed !== undefined) listed.sha256 = hex;
  }

  /** Keeps the bytes of a listed file on disk until the returned function is called, whatever retention says. */
  pin(entry: FileEntry): () => void {
    return this.#disposal.pin(entry);
  }

  /** Takes a file that turned out to be corrupt off the lists and sets it aside. */
  async drop(entry: FileEntry, reason: string): Promise<void> {
    const shelf = this.#shelves.get(entry.stream);
    if (shelf?.get(entry.path) === undefined) return;
    shelf.remove([entry]);
    this.onDropped(entry);
    await setAside(this.#place, entry.path, reason);
  }

  /**
   * Takes the files over the limits off the lists now and deletes them; resolves to them, oldest first, when all
   * that can be deleted is. Pinned files are deleted when unpinned; what cannot be deleted is logged and tried
   * again at the next call. `now` is a key in microseconds; `age`: how long ago another one was given.
   */
  async retain(
    stream: string,
    limits: Retention,
    now: number,
    age: (key: number) => number = (key) => now - key,
  ): Promise<FileEntry[]> {
    const leaving = expired(this.files(stream), this.totals(stream).bytes, limits, age);
    if (leaving.length > 0) this.#shelves.get(stream)?.remove(leaving);
    await this.#disposal.dispose(stream, leaving, now);
    return leaving;
  }

  /**
   * Takes the oldest file off the lists and deletes it; resolves to it when that is done, or waits for a reader; null: there
   * is none. `now` is a key in microseconds.
   */
  async deleteOldest(stream: string, now: number): Promise<FileEntry | null> {
    const shelf = this.#shelves.get(stream);
    const oldest = shelf?.files[0];
    if (shelf === undefined || oldest === undefined) return null;
    shelf.remove([oldest]);
    await this.#disposal.dispose(stream, [oldest], now);
    return oldest;
  }

  /** Resolves when no deletion is running. */
  idle(): Promise<void> {
    return this.#disposal.idle();
  }

  #sawSeq(stream: string, seq: number): void {
    if (seq <= HIGHEST_SEQ) this.#highestSeq.set(stream, Math.max(seq, this.#highestSeq.get(stream) ?? 0));
  }
}

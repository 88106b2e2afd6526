/** The catalogue of committed files: which there are, what keys they hold, how long they stay. */
import { MqttStreamError } from '../errors.js';
import { Disposal } from './disposal.js';
import type { ClockRecord, DroppedFile, FileEntry, KeyRange } from './entry.js';
import { Loading } from './loading.js';
import type { Place } from './place.js';
import { setAside } from './quarantine.js';
import { expired, type Retention } from './retention.js';
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
  readonly #loading: Loading;
  /** A file turned out to be corrupt and is not listed any more. */
  onDropped: (file: DroppedFile) => void = () => {};
  /** Those that were found so far: corrupt, now or earlier, or not to be opened. */
  readonly dropped: DroppedFile[] = [];
  /** All files of the stream are listed. */
  onLoaded: (stream: string) => void = () => {};
  #maxKey = 0;

  private constructor(place: Place) {
    this.#place = place;
    this.#disposal = new Disposal(place);
    this.#loading = new Loading(place, {
      lastKey: (stream) => this.lastKey(stream),
      saw: (stream, seq) => this.#sawSeq(stream, seq),
      add: (entry) => this.add(entry),
      dropped: (file) => this.#drop(file),
      outlived: (stream, files) => this.#outlived(stream, files),
      loaded: (stream) => this.#loaded(stream),
    });
  }

  /**
   * Lists what is on disk, however much there is: by name, except that the newest file of each stream is verified, and
   * what an earlier run left unfinished is removed. Where there is much, the rest waits for `load`.
   * Throws `DATA_DIR_UNUSABLE` if a folder cannot be listed: an incomplete catalogue would hide messages; `KEY_MISSING`
   * or `KEY_WRONG` if what is encrypted needs a key that is not there: nothing was touched then.
   */
  static async open(place: Place): Promise<Catalog> {
    const catalog = new Catalog(place);
    await catalog.#loading.open();
    return catalog;
  }

  /**
   * Reads the footers that were not read yet, in the background, newest first: then a file enters the lists, or is set
   * aside if it is corrupt, or left alone; each is logged. Resolves when all is done or the catalogue is closed.
   */
  load(): Promise<void> {
    return this.#loading.load();
  }

  /** How many files are not in the lists yet: of all, or that may have keys of `ranges` (ascending, disjoint). */
  loading(stream: string, ranges?: readonly KeyRange[]): number {
    return this.#loading.left(stream, ranges);
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

  /** The highest key in a file of the stream, microseconds; `null` without files. Also before all are loaded. */
  lastKey(stream: string): number | null {
    return this.#shelves.get(stream)?.lastKey ?? null;
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

  /** What the files loaded so far say of their clocks, ascending by first key. */
  corrections(): readonly ClockRecord[] {
    return this.#loading.corrections.sort((a, b) => a.firstKey - b.firstKey);
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

  /**
   * A file that is whole and has the messages of `sources`: in this turn it takes their place, and they are deleted when
   * unpinned. False if one of them is not listed any more: then it is the new file that is deleted.
   */
  replace(sources: readonly FileEntry[], entry: FileEntry): boolean {
    const { path, stream } = entry;
    const shelf = this.#shelves.get(stream);
    if (shelf === undefined || shelf.get(path) !== undefined) {
      throw new MqttStreamError('INTERNAL', [`the file ${path} cannot take the place of others`]);
    }
    const listed = sources.every((source) => shelf.get(source.path) !== undefined);
    if (listed) {
      shelf.remove(sources);
      this.add(entry);
    }
    void this.#disposal.dispose(stream, listed ? sources : [entry]);
    return listed;
  }

  /**
   * Deletes what may be on the disk and was never listed, because who made it failed before it could tell. As long as it
   * may be there, the files that it may be made of are among the `unsettled`.
   */
  discard(stream: string, entries: readonly FileEntry[]): Promise<void> {
    const shelf = this.#shelves.get(stream);
    return this.#disposal.dispose(
      stream,
      entries.filter(({ path }) => shelf?.get(path) === undefined),
    );
  }

  /**
   * The listed files that have messages of others which are still on the disk and not listed any more. As long as that is
   * so, they are not to be merged: after a crash nobody would know any more what those others are.
   */
  unsettled(stream: string): readonly FileEntry[] {
    const ranges = this.#disposal
      .waiting(stream)
      .map(({ firstKey, lastKey }) => ({ start: firstKey, end: lastKey }));
    return ranges.length === 0 ? [] : this.files(stream, ranges);
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
    this.#drop(entry);
    await setAside(this.#place, entry.path, reason);
  }

  /**
   * Takes the files over the limits off the lists now and deletes them; resolves to them, oldest first, when all
   * that can be deleted is. Pinned files are deleted when unpinned; what cannot be deleted is logged and tried
   * again at the next call. `now` is a key in microseconds; `age`: how long ago another one was given. While the stream
   * is loading nothing leaves.
   */
  async retain(
    stream: string,
    limits: Retention,
    now: number,
    age: (key: number) => number = (key) => now - key,
  ): Promise<FileEntry[]> {
    if (this.loading(stream) > 0) return [];
    const leaving = expired(this.files(stream), this.totals(stream).bytes, limits, age);
    if (leaving.length > 0) this.#shelves.get(stream)?.remove(leaving);
    await this.#disposal.dispose(stream, leaving, now);
    return leaving;
  }

  /** The stream's oldest file; null: there is none. Before all are loaded nobody knows which that is. */
  async oldest(stream: string): Promise<FileEntry | null> {
    if (this.loading(stream) > 0) await this.load();
    return this.#shelves.get(stream)?.files[0] ?? null;
  }

  /**
   * Takes a file off the lists and deletes it; resolves when that is done, or waits for a reader. False: it is not listed any
   * more. `now` is a key in microseconds.
   */
  async delete(file: FileEntry, now: number): Promise<boolean> {
    const shelf = this.#shelves.get(file.stream);
    if (shelf?.get(file.path) === undefined) return false;
    shelf.remove([file]);
    await this.#disposal.dispose(file.stream, [file], now);
    return true;
  }

  /** Resolves when no deletion is running. */
  idle(): Promise<void> {
    return this.#disposal.idle();
  }

  /** Stops loading; resolves when nothing touches the disk any more. */
  async close(): Promise<void> {
    await this.#loading.close();
    await this.idle();
  }

  #drop(file: DroppedFile): void {
    this.dropped.push(file);
    this.onDropped(file);
  }

  #loaded(stream: string): void {
    const totals = this.totals(stream);
    if (totals.files > 0) this.#place.log.info({ stream, ...totals }, 'files of the stream found');
    this.onLoaded(stream);
  }

  #outlived(stream: string, files: readonly FileEntry[]): void {
    this.#place.log.info({ stream, files: files.length }, 'files are deleted that another one was made of');
    // Not waited for: who lists and reads does not depend on it.
    void this.#disposal.supersede(stream, files);
  }

  #sawSeq(stream: string, seq: number): void {
    if (seq <= HIGHEST_SEQ) this.#highestSeq.set(stream, Math.max(seq, this.#highestSeq.get(stream) ?? 0));
  }
}

/** The catalogue of committed files: which there are, what keys they hold, how long they stay. */
import { MqttStreamError } from '../errors.js';
import { Backlog, type Group } from './backlog.js';
import type { Accepted, Candidate } from './candidate.js';
import { Disposal } from './disposal.js';
import type { ClockRecord, DroppedFile, FileEntry, KeyRange } from './entry.js';
import { replaced } from './merged.js';
import { CORRUPT_SUFFIX, dataNameIn, isDataName, parseFileName, TEMP_SUFFIX } from './naming.js';
import type { Place } from './place.js';
import { setAside } from './quarantine.js';
import { expired, type Retention } from './retention.js';
import { acceptAll, scan, seqOf } from './scan.js';
import { checkKeys } from './sealed-files.js';
import { Shelf } from './shelf.js';
import { removeTemporary } from './temporary.js';

/** A higher number was not made by counting, and counting on from it would leave the safe integers. */
const HIGHEST_SEQ = 2 ** 52;
/** Streams with so few files, all together, are whole from the start: ~50 ms. */
const READ_AT_START = 256;
/** Groups of files that enter the lists in one turn. */
const GROUPS_AT_ONCE = 64;

export interface Totals {
  readonly files: number;
  readonly bytes: number;
  readonly rows: number;
}

export class Catalog {
  readonly #place: Place;
  readonly #disposal: Disposal;
  readonly #shelves = new Map<string, Shelf>();
  readonly #backlogs = new Map<string, Backlog>();
  readonly #highestSeq = new Map<string, number>();
  readonly #corrections: ClockRecord[] = [];
  #loading: Promise<void> | null = null;
  #closed = false;
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
  }

  /**
   * Lists what is on disk, however much there is: by name, except that the newest file of each stream is verified, and
   * what an earlier run left unfinished is removed. Where there is much, the rest waits for `load`.
   * Throws `DATA_DIR_UNUSABLE` if a folder cannot be listed: an incomplete catalogue would hide messages; `KEY_MISSING`
   * or `KEY_WRONG` if what is encrypted needs a key that is not there: nothing was touched then.
   */
  static async open(place: Place): Promise<Catalog> {
    const catalog = new Catalog(place);
    const found = await scan(place);
    await checkKeys(place, [...found.values()].flat());
    for (const [stream, candidates] of found) await catalog.#open(stream, candidates);
    let free = READ_AT_START;
    for (const [stream, backlog] of [...catalog.#backlogs].sort((a, b) => a[1].files - b[1].files)) {
      free -= backlog.files;
      if (free >= 0) await catalog.#loadStream(stream, backlog);
    }
    return catalog;
  }

  /**
   * Reads the footers that were not read yet, in the background, newest first: then a file enters the lists, or is set
   * aside if it is corrupt, or left alone; each is logged. Resolves when all is done or the catalogue is closed.
   */
  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /** How many files are not in the lists yet: of all, or that may have keys of `ranges` (ascending, disjoint). */
  loading(stream: string, ranges?: readonly KeyRange[]): number {
    const backlog = this.#backlogs.get(stream);
    if (backlog === undefined) return 0;
    return ranges === undefined ? backlog.files : backlog.within(ranges);
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
    return this.#corrections.sort((a, b) => a.firstKey - b.firstKey);
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
    this.#closed = true;
    // If it failed, who called it was told.
    await this.#loading?.catch(() => {});
    await this.idle();
  }

  async #open(stream: string, candidates: readonly Candidate[]): Promise<void> {
    for (const { name } of candidates) this.#sawSeq(stream, seqOf(name));
    const backlog = new Backlog(candidates.filter(({ name }) => isDataName(name)));
    this.#backlogs.set(stream, backlog);
    for (const { name } of candidates) {
      const before = dataNameIn(name, CORRUPT_SUFFIX);
      if (before !== null) this.#dropNamed(stream, before);
    }
    this.#take(stream, (await acceptAll(this.#place, backlog.nameless)).accepted);
    for (const candidate of candidates) {
      if (dataNameIn(candidate.name, TEMP_SUFFIX) !== null) await removeTemporary(this.#place, candidate);
    }
    for (;;) {
      const [newest] = backlog.newest(1);
      if (newest === undefined || newest.lastKey <= (this.lastKey(stream) ?? -1)) return;
      await this.#read(stream, backlog, [newest]);
    }
  }

  async #load(): Promise<void> {
    for (const [stream, backlog] of this.#backlogs) await this.#loadStream(stream, backlog);
  }

  async #loadStream(stream: string, backlog: Backlog): Promise<void> {
    while (backlog.files > 0 && !this.#closed) {
      await this.#read(stream, backlog, backlog.newest(GROUPS_AT_ONCE));
    }
    if (this.#closed) return;
    this.#backlogs.delete(stream);
    const totals = this.totals(stream);
    if (totals.files > 0) this.#place.log.info({ stream, ...totals }, 'files of the stream found');
    this.onLoaded(stream);
  }

  async #read(stream: string, backlog: Backlog, groups: readonly Group[]): Promise<void> {
    const candidates = groups.flatMap((group) => group.candidates);
    const { accepted, dropped } = await acceptAll(this.#place, candidates);
    backlog.remove(groups);
    this.#take(stream, accepted);
    for (const { name } of dropped) this.#dropNamed(stream, name);
  }

  /** One whose keys only its name tells. */
  #dropNamed(stream: string, name: string): void {
    const label = parseFileName(name);
    if (label === null) return;
    this.#drop({ stream, firstKey: label.firstKey, lastKey: label.lastKey, rows: null });
  }

  #drop(file: DroppedFile): void {
    this.dropped.push(file);
    this.onDropped(file);
  }

  #take(stream: string, accepted: readonly Accepted[]): void {
    const gone = replaced(accepted);
    const kept = accepted.filter(({ entry }) => !gone.includes(entry));
    for (const { entry, clock } of kept) {
      this.add(entry);
      if (clock !== null) this.#corrections.push(clock);
    }
    if (gone.length === 0) return;
    this.#place.log.info({ stream, files: gone.length }, 'files are deleted that another one was made of');
    // Not waited for: who lists and reads does not depend on it.
    void this.#disposal.supersede(stream, gone);
  }

  #sawSeq(stream: string, seq: number): void {
    if (seq <= HIGHEST_SEQ) this.#highestSeq.set(stream, Math.max(seq, this.#highestSeq.get(stream) ?? 0));
  }
}

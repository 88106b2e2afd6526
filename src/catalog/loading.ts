import { Backlog, type Group } from './backlog.js';
import type { Accepted, Candidate } from './candidate.js';
import type { ClockRecord, DroppedFile, FileEntry, KeyRange } from './entry.js';
import { replaced } from './merged.js';
import { CORRUPT_SUFFIX, dataNameIn, isDataName, parseFileName, TEMP_SUFFIX } from './naming.js';
import type { Place } from './place.js';
import { acceptAll, scan, seqOf } from './scan.js';
import { checkKeys } from './sealed-files.js';
import { removeTemporary } from './temporary.js';

/** Streams with so few files, all together, are whole from the start: ~50 ms. */
const READ_AT_START = 256;
/** Groups of files that enter the lists in one turn. */
const GROUPS_AT_ONCE = 64;

/** Who is told what is found. */
export interface Lists {
  /** The highest key of a listed file of the stream; null without files. */
  lastKey(stream: string): number | null;
  /** A number that is used, by whatever file. */
  saw(stream: string, seq: number): void;
  add(entry: FileEntry): void;
  dropped(file: DroppedFile): void;
  /** Files that another one was made of, and has the messages of. */
  outlived(stream: string, files: readonly FileEntry[]): void;
  /** All files of the stream are listed. */
  loaded(stream: string): void;
}

/** How files that were there at the start get into the lists: the newest ones at once, the others behind the start. */
export class Loading {
  readonly #place: Place;
  readonly #lists: Lists;
  readonly #backlogs = new Map<string, Backlog>();
  /** What the files loaded so far say of their clocks. */
  readonly corrections: ClockRecord[] = [];
  #loading: Promise<void> | null = null;
  #closed = false;

  constructor(place: Place, lists: Lists) {
    this.#place = place;
    this.#lists = lists;
  }

  /** See `Catalog.open`. */
  async open(): Promise<void> {
    const found = await scan(this.#place);
    await checkKeys(this.#place, [...found.values()].flat());
    for (const [stream, candidates] of found) await this.#open(stream, candidates);
    let free = READ_AT_START;
    for (const [stream, backlog] of [...this.#backlogs].sort((a, b) => a[1].files - b[1].files)) {
      free -= backlog.files;
      if (free >= 0) await this.#loadStream(stream, backlog);
    }
  }

  /** See `Catalog.load`. */
  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /** How many files are not in the lists yet: of all, or that may have keys of `ranges` (ascending, disjoint). */
  left(stream: string, ranges?: readonly KeyRange[]): number {
    const backlog = this.#backlogs.get(stream);
    if (backlog === undefined) return 0;
    return ranges === undefined ? backlog.files : backlog.within(ranges);
  }

  /** Resolves when nothing is read any more. */
  async close(): Promise<void> {
    this.#closed = true;
    // If it failed, who called it was told.
    await this.#loading?.catch(() => {});
  }

  async #open(stream: string, candidates: readonly Candidate[]): Promise<void> {
    for (const { name } of candidates) this.#lists.saw(stream, seqOf(name));
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
      if (newest === undefined || newest.lastKey <= (this.#lists.lastKey(stream) ?? -1)) return;
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
    this.#lists.loaded(stream);
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
    this.#lists.dropped({ stream, firstKey: label.firstKey, lastKey: label.lastKey, rows: null });
  }

  #take(stream: string, accepted: readonly Accepted[]): void {
    const gone = replaced(accepted);
    const kept = accepted.filter(({ entry }) => !gone.includes(entry));
    for (const { entry, clock } of kept) {
      this.#lists.add(entry);
      if (clock !== null) this.corrections.push(clock);
    }
    if (gone.length > 0) this.#lists.outlived(stream, gone);
  }
}

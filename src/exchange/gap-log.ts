import { dirname } from 'node:path';
import { type WholeFiles, writeWhole } from '../whole-file.js';
import { gapLine, wholeRecord } from './gap-record.js';
import type { GapChanges, Gaps } from './gaps.js';

/** The used part of `node:fs/promises`. */
export interface GapFiles extends WholeFiles {
  mkdir(path: string, options: { recursive: true; mode: number }): Promise<unknown>;
}

export interface GapLogOptions {
  /** Absolute. */
  readonly path: string;
  readonly gaps: Gaps;
  /** Characters of the file, which ends with a whole line and says what `gaps` has; null: there is none, or it does not. */
  readonly length: number | null;
  readonly files: GapFiles;
  /** Calls back once, after so many ms; the returned function takes it back. */
  readonly after: (ms: number, callback: () => void) => () => void;
  /** It could not be written; once, until `onRecovered`. */
  readonly onFault: (error: unknown) => void;
  readonly onRecovered: () => void;
}

/** Folders that it lies in: the stream's, that of all, the data folder. */
const LEVELS = 3;
/** Between two writes, or attempts. */
const REST_MS = 1000;
/** A file is written anew when it is longer than twice its last whole contents and this. Characters. */
const SLACK = 64 * 1024;
/** What long records cost the disk: so much at most, and the rest between two writes becomes longer. Characters a ms. */
const PACE = 64;

/**
 * Keeps the gaps of one stream on the disk, on time and not on demand: a dropped message costs no more than it did. What is
 * new is appended, at once and then at most once a second: gaps grow as long as messages are dropped, and ten thousand of
 * them, replaced as a whole, would be a megabyte each time.
 */
export class GapLog {
  readonly gaps: Gaps;
  readonly #options: GapLogOptions;
  /** The next write replaces the file: nobody knows how it ends. */
  #anew: boolean;
  /** The names on the way to it survive a power cut. */
  #named = false;
  #wholeLength = 0;
  #appended: number;
  #lastWritten = 0;
  #unsaved = false;
  #failing = false;
  #cancel: (() => void) | null = null;
  /** Whether it went well. */
  #saving: Promise<boolean> | null = null;
  #closed = false;

  constructor(options: GapLogOptions) {
    this.#options = options;
    this.#anew = options.length === null;
    this.#appended = options.length ?? 0;
    this.gaps = options.gaps;
    this.gaps.onChange = () => {
      this.#unsaved = true;
      if (this.#cancel === null && this.#saving === null) this.#saveAfter(0);
    };
  }

  /** Writes what is new. False: it could not be, and is not on the disk. */
  close(): Promise<boolean> {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = null;
    return this.save();
  }

  /** Writes what is new now. False: it could not be, and is not on the disk. */
  async save(): Promise<boolean> {
    // Another one who waits may be the first to begin the next write: while that runs nothing is said to be saved.
    while (this.#saving !== null) await this.#saving;
    return this.#unsaved ? this.#saveNow() : true;
  }

  #saveAfter(ms: number): void {
    if (this.#closed) return;
    this.#cancel = this.#options.after(ms, () => {
      this.#cancel = null;
      if (this.#unsaved) void this.#saveNow();
    });
  }

  #saveNow(): Promise<boolean> {
    this.#cancel?.();
    this.#cancel = null;
    this.#saving = this.#write().finally(() => {
      this.#saving = null;
      this.#saveAfter(REST_MS + this.#lastWritten / PACE);
    });
    return this.#saving;
  }

  /** Never rejects. */
  async #write(): Promise<boolean> {
    const { onFault, onRecovered } = this.#options;
    this.#unsaved = false;
    const changes = this.gaps.takeChanges();
    const anew = this.#anew || changes.rewritten || this.#appended > SLACK + 2 * this.#wholeLength;
    // Until it is known to have gone well.
    this.#anew = true;
    try {
      await (anew ? this.#replace(changes) : this.#append(changes));
      if (!this.#named) await this.#syncNames();
      this.#anew = false;
      if (this.#failing) onRecovered();
      this.#failing = false;
      return true;
    } catch (error) {
      this.#unsaved = true;
      if (!this.#failing) onFault(error);
      this.#failing = true;
      return false;
    }
  }

  async #replace(changes: GapChanges): Promise<void> {
    const { files, path } = this.#options;
    const known = this.gaps.known();
    // Those of a failed attempt are not told again.
    const text = wholeRecord(known, this.#failing ? known.gaps : changes.gaps);
    await files.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeWhole(path, text, files);
    this.#wholeLength = text.length;
    this.#appended = 0;
    this.#lastWritten = text.length;
  }

  /**
   * Makes the file's name survive a power cut, and those of its folders up to the data folder: whoever made them need not have
   * synced them, be it the recorder or a process before that died. Without that, what is written would be lost with a name.
   */
  async #syncNames(): Promise<void> {
    let folder = this.#options.path;
    for (let level = 0; level < LEVELS; level++) {
      folder = dirname(folder);
      const opened = await this.#options.files.open(folder, 'r');
      await opened.sync().finally(() => opened.close());
    }
    this.#named = true;
  }

  async #append(changes: GapChanges): Promise<void> {
    const { files, path } = this.#options;
    const line = gapLine(changes);
    const file = await files.open(path, 'a', 0o600);
    try {
      await file.writeFile(line);
      await file.sync();
    } finally {
      await file.close();
    }
    this.#appended += line.length;
    this.#lastWritten = line.length;
  }
}

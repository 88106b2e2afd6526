import { join } from 'node:path';
import { z } from 'zod';
import { MqttStreamError, textOf } from '../errors.js';
import { type WholeFiles, writeWhole } from '../whole-file.js';
import { Clock } from './clock.js';
import { CORRECTION, type Correction, joinCorrections } from './correction.js';
import type { TimeSource } from './time.js';

/** How often the state is written, and how far ahead of the keys its ceiling is. Microseconds. */
export const SAVE_EVERY = 30_000_000;
export const CEILING_AHEAD = 3 * SAVE_EVERY;

/**
 * The year 2242; no wall clock of Linux goes beyond 2232. A key above it is noise, and would leave no room below
 * 2^53, where keys end.
 */
const LATEST = 8_600_000_000_000_000;

const State = z.object({
  bootId: z.string(),
  base: z.number().max(LATEST),
  ceiling: z.number().int().max(LATEST),
  clean: z.boolean(),
  corrections: z.array(CORRECTION),
  /** Wall time of the write; that of the last one in the boot before. Versions that did not know them left them out. */
  wall: z.number().max(LATEST).default(0),
  after: z.number().max(LATEST).default(0),
});
type State = z.infer<typeof State>;

/** The used part of `node:fs/promises`. */
export interface ClockFiles extends WholeFiles {
  readFile(path: string, encoding: 'utf8'): Promise<string>;
}

/** What there is of earlier keys besides the file. */
export interface KnownKeys {
  /** The highest key in a Parquet file; 0 without files. */
  readonly maxKey: number;
  /** The highest key in a journal; 0 without. */
  readonly journalKey: () => Promise<number>;
  readonly corrections: () => readonly Correction[];
}

export interface ClockOpening {
  readonly clock: Clock;
  readonly store: ClockStore;
  /** The process before ended without closing its clock, or nobody can tell. False for the first start. */
  readonly afterCrash: boolean;
  /** Without the file: when more files are known, the clock can learn from them. */
  readonly fromFiles: boolean;
}

/**
 * Keeps keys rising over restarts, in `<dataDir>/clock.json`. Within one boot of the machine monotonic time goes
 * on, and keys with it. After a reboot they start above a ceiling that was written ahead of them, even if the wall
 * clock is behind. Without the file, `known` (from files and journals) says what keys and corrections there are.
 */
export class ClockStore {
  readonly #path: string;
  readonly #files: ClockFiles;
  readonly #source: TimeSource;
  readonly #clock: Clock;
  readonly #after: number;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, files: ClockFiles, source: TimeSource, clock: Clock, after: number) {
    this.#path = path;
    this.#files = files;
    this.#source = source;
    this.#clock = clock;
    this.#after = after;
  }

  /** Throws `DATA_DIR_UNUSABLE` if the file cannot be read or written, or if a key leaves no room for others. */
  static async open(
    dataDir: string,
    source: TimeSource,
    files: ClockFiles,
    known: KnownKeys,
    log: { warn(what: object, text: string): void },
  ): Promise<ClockOpening> {
    const path = join(dataDir, 'clock.json');
    const unusable = (error: unknown): never => {
      throw new MqttStreamError('DATA_DIR_UNUSABLE', [dataDir, textOf(error)], { cause: error });
    };
    const text = await readText(path, files).catch(unusable);
    const state = text === null ? null : parseState(text, path, log);
    const journalKey = state === null ? await known.journalKey().catch(unusable) : 0;
    const maxKey = Math.max(known.maxKey, journalKey);
    if (maxKey > LATEST)
      unusable(`there is a message with key ${maxKey}, which is no time of today's clocks`);
    const first = text === null && maxKey === 0;
    if (text === null && !first)
      log.warn({ path }, 'the clock state is gone; keys go on from what is stored');
    const sameBoot = state !== null && state.bootId === source.bootId;
    const after = (sameBoot ? state.after : state?.wall) ?? 0;
    // Without the state nobody knows which keys were given behind those that are stored.
    const ceiling = state?.ceiling ?? (maxKey === 0 ? 0 : maxKey + CEILING_AHEAD);
    const clock = new Clock(source, {
      floor: Math.max(maxKey + 1, sameBoot && !state.clean ? 0 : ceiling),
      base: sameBoot ? state.base : null,
      corrections: joinCorrections(state?.corrections ?? known.corrections()),
      after,
    });
    const store = new ClockStore(path, files, source, clock, after);
    await store.save(false).catch(unusable);
    return { clock, store, afterCrash: !first && state?.clean !== true, fromFiles: state === null };
  }

  /** Writes the state; one write at a time. `clean`: no key is given after it. */
  save(clean: boolean): Promise<void> {
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write(clean));
    return this.#writing;
  }

  async #write(clean: boolean): Promise<void> {
    const wall = this.#clock.wallNow();
    const state: State = {
      bootId: this.#source.bootId,
      base: this.#clock.base,
      ceiling: clean ? this.#clock.last + 1 : this.#clock.now() + CEILING_AHEAD,
      clean,
      corrections: [...this.#clock.corrections],
      wall,
      after: this.#after,
    };
    await writeWhole(this.#path, `${JSON.stringify(state)}\n`, this.#files);
  }
}

/** null if there is no file. */
async function readText(path: string, files: ClockFiles): Promise<string | null> {
  try {
    return await files.readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** null, and a warning, for what is none. */
export function parseState(
  text: string,
  path: string,
  log: { warn(what: object, text: string): void },
): State | null {
  try {
    return State.parse(JSON.parse(text));
  } catch (error) {
    log.warn({ path, err: error }, 'the clock state is not readable; keys go on from what is stored');
    return null;
  }
}

import { join } from 'node:path';
import { z } from 'zod';
import { Clock } from './clock.js';
import { type Correction, joinCorrections } from './correction.js';
import type { TimeSource } from './time.js';

/** How often the state is written, and how far ahead of the keys its ceiling is. Microseconds. */
export const SAVE_EVERY = 30_000_000;
const CEILING_AHEAD = 3 * SAVE_EVERY;
/** Corrections kept; a wall clock that steps every minute fills this in a week. */
const MOST_CORRECTIONS = 10_000;

const State = z.object({
  bootId: z.string(),
  base: z.number(),
  ceiling: z.number().int(),
  clean: z.boolean(),
  corrections: z.array(z.object({ from: z.number().int(), offset: z.number().int() })),
});
type State = z.infer<typeof State>;

/** The used part of `node:fs/promises`. */
export interface ClockFiles {
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  open(
    path: string,
    flags: string,
    mode?: number,
  ): Promise<{ writeFile(text: string): Promise<void>; sync(): Promise<void>; close(): Promise<void> }>;
  rename(from: string, to: string): Promise<void>;
}

export interface ClockOpening {
  readonly clock: Clock;
  readonly store: ClockStore;
  /** The process before ended without closing its clock. False for the first start. */
  readonly afterCrash: boolean;
}

/**
 * Keeps keys rising over restarts, in `<dataDir>/clock.json`. Within one boot of the machine monotonic time goes
 * on, and keys with it. After a reboot they start above a ceiling that was written ahead of them, even if the wall
 * clock is behind. Without the file, `known` (from the catalogue) says what keys and corrections there are.
 */
export class ClockStore {
  readonly #path: string;
  readonly #files: ClockFiles;
  readonly #source: TimeSource;
  readonly #clock: Clock;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, files: ClockFiles, source: TimeSource, clock: Clock) {
    this.#path = path;
    this.#files = files;
    this.#source = source;
    this.#clock = clock;
  }

  static async open(
    dataDir: string,
    source: TimeSource,
    files: ClockFiles,
    known: { maxKey: number; corrections: () => readonly Correction[] },
    log: { warn(what: object, text: string): void },
  ): Promise<ClockOpening> {
    const path = join(dataDir, 'clock.json');
    const state = await readState(path, files, log);
    const sameBoot = state !== null && state.bootId === source.bootId;
    const clock = new Clock(source, {
      floor: Math.max(known.maxKey + 1, state === null || (sameBoot && !state.clean) ? 0 : state.ceiling),
      base: sameBoot ? state.base : null,
      corrections: state?.corrections ?? joinCorrections(known.corrections()),
    });
    const store = new ClockStore(path, files, source, clock);
    await store.save(false);
    return { clock, store, afterCrash: state !== null && !state.clean };
  }

  /** Writes the state; one write at a time. `clean`: no key is given after it. */
  save(clean: boolean): Promise<void> {
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write(clean));
    return this.#writing;
  }

  async #write(clean: boolean): Promise<void> {
    const state: State = {
      bootId: this.#source.bootId,
      base: this.#clock.base,
      ceiling: clean ? this.#clock.last + 1 : this.#clock.now() + CEILING_AHEAD,
      clean,
      corrections: this.#clock.corrections.slice(-MOST_CORRECTIONS),
    };
    const temporary = `${this.#path}.tmp`;
    const file = await this.#files.open(temporary, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(state)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#files.rename(temporary, this.#path);
  }
}

async function readState(
  path: string,
  files: ClockFiles,
  log: { warn(what: object, text: string): void },
): Promise<State | null> {
  let text: string;
  try {
    text = await files.readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return State.parse(JSON.parse(text));
  } catch (error) {
    log.warn({ path, err: error }, 'the clock state is not readable; keys go on from the files');
    return null;
  }
}

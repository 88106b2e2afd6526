import { type Correction, type KeyRange, keysOfWall, wallOfKey } from './correction.js';
import type { TimeSource } from './time.js';

/** A smaller difference between wall clock and keys is drift or granularity, not a step. Microseconds. */
const STEP = 50_000;
/** The wall clock is looked at for the first key after this time (it costs 40 ns). Microseconds. */
const LOOK_EVERY = 1_000;

/** What a clock starts from; `ClockStore` makes it. */
export interface ClockStart {
  /** The first key is at least this. */
  readonly floor: number;
  /** key = monotonic time + base: goes on from the process before, if that ran in the same boot; else null. */
  readonly base: number | null;
  /** What is known of earlier times, ascending. */
  readonly corrections: readonly Correction[];
}

/**
 * Gives the keys: integers, microseconds since the epoch, unique and strictly rising over the whole process and
 * over restarts. They advance with monotonic time. When the wall clock steps they do not: a correction says from
 * which key on wall time differs, and by how much.
 */
export class Clock {
  readonly #source: TimeSource;
  readonly #base: number;
  readonly #corrections: Correction[];
  #last: number;
  /** The key that the last look would give. */
  #seen = 0;
  #lookAt = 0;
  /** Called after a correction was added. */
  onCorrection: ((correction: Correction) => void) | null = null;

  constructor(source: TimeSource, start: ClockStart) {
    this.#source = source;
    const monotonic = source.monotonic();
    const wall = source.wall();
    const first = Math.ceil(Math.max(wall, start.floor, start.base === null ? 0 : monotonic + start.base));
    this.#base = first - monotonic;
    this.#last = first - 1;
    // One from a later key on is of a key that was never given.
    this.#corrections = start.corrections.filter(({ from }) => from <= first);
    // Nothing is known of the keys before: they are taken for wall time, whatever the wall clock says now.
    if (this.#corrections.length === 0) this.#corrections.push({ from: 0, offset: 0 });
    const offset = Math.round(wall - first);
    if (Math.abs(offset - this.#corrections.at(-1)!.offset) > STEP) {
      this.#corrections.push({ from: first, offset: Math.abs(offset) > STEP ? offset : 0 });
    }
  }

  /** Looks at the clocks, for the keys that are given next. ~40 ns. */
  look(): void {
    const monotonic = this.#source.monotonic();
    if (monotonic >= this.#lookAt) this.#compare(monotonic);
    this.#seen = Math.floor(monotonic + this.#base);
  }

  /** A key of the moment of the last look, or the one after the last: what is read at once is of one moment. */
  give(): number {
    this.#last = this.#seen > this.#last ? this.#seen : this.#last + 1;
    return this.#last;
  }

  /** A key of now. */
  next(): number {
    this.look();
    return this.give();
  }

  /** The latest key given; before the first, one less than that will be at least. */
  get last(): number {
    return this.#last;
  }

  /** key = monotonic time + base. */
  get base(): number {
    return this.#base;
  }

  /** What the next key would be at least. Nothing is given. */
  now(): number {
    return Math.max(Math.floor(this.#source.monotonic() + this.#base), this.#last + 1);
  }

  get corrections(): readonly Correction[] {
    return this.#corrections;
  }

  /** Wall time now, as the corrections have it. Microseconds. */
  wallNow(): number {
    this.#compare(this.#source.monotonic());
    return this.wallOf(this.now());
  }

  /** The keys whose corrected wall time lies in `start..end`, both included. */
  keysOf(start: number, end: number): KeyRange[] {
    return keysOfWall(this.#corrections, start, end);
  }

  wallOf(key: number): number {
    return wallOfKey(this.#corrections, key);
  }

  /** One reading of all clocks, for a file's metadata. */
  reading(): { key: number; wall: number; monotonic: number } {
    return {
      key: this.#last,
      wall: Math.round(this.#source.wall()),
      monotonic: Math.round(this.#source.monotonic()),
    };
  }

  #compare(monotonic: number): void {
    this.#lookAt = monotonic + LOOK_EVERY;
    const offset = Math.round(this.#source.wall() - monotonic - this.#base);
    const known = this.#corrections[this.#corrections.length - 1].offset;
    if (Math.abs(offset - known) <= STEP) return;
    const correction = { from: Math.max(Math.floor(monotonic + this.#base), this.#last + 1), offset };
    this.#corrections.push(correction);
    this.onCorrection?.(correction);
  }
}

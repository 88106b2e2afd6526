import {
  type Correction,
  correctionsWithin,
  joinCorrections,
  type KeyRange,
  keysOfWall,
  thinned,
  wallOfKey,
} from './correction.js';
import type { TimeSource } from './time.js';

/** A smaller difference between wall clock and keys is drift or granularity, not a step. Microseconds. */
const STEP = 50_000;
/** A drift is corrected as soon as it is `STEP`; what is more than this was set. Microseconds. */
const SET = 2 * STEP;
/** The wall clock is looked at for the first key after this time (it costs 40 ns). Microseconds. */
const LOOK_EVERY = 1_000;
/** Corrections kept; a clock that is set every hour fills this in three months. */
export const MOST_CORRECTIONS = 2_000;
/** Before 2024-01-01 there was no such program: a wall clock that shows less is wrong. */
export const EARLIEST = Date.UTC(2024, 0, 1) * 1000;

/** What a clock starts from; `ClockStore` makes it. */
export interface ClockStart {
  /** The first key is at least this. */
  readonly floor: number;
  /** key = monotonic time + base: goes on from the process before, if that ran in the same boot; else null. */
  readonly base: number | null;
  /** What is known of earlier times, ascending. */
  readonly corrections: readonly Correction[];
  /** The machine was started after this wall time, the last one known of the boot before; without it nothing is known. */
  readonly after?: number;
}

/**
 * Gives the keys: integers, microseconds since the epoch, unique and strictly rising over the whole process and
 * over restarts. They advance with monotonic time. When the wall clock steps they do not: a correction says from
 * which key on wall time differs, and by how much. As long as the wall clock cannot have been right since the
 * machine was started, a step tells of all keys since then (docs/time.md).
 */
export class Clock {
  readonly #source: TimeSource;
  readonly #after: number;
  /** The lowest key that this clock could give. */
  readonly #first: number;
  #base: number;
  #corrections: Correction[];
  #last: number;
  /** The key that the last look would give. */
  #seen = 0;
  #lookAt = 0;
  /** False while the wall clock was right in this boot and now shows a time that cannot be. */
  #sound = true;
  /** Called after the corrections have changed: the one in force, and by how much wall time has become another one. */
  onCorrection: ((correction: Correction, change: number) => void) | null = null;
  /** Called when the wall clock, right before, begins to show a time that cannot be: nobody follows it. */
  onNonsense: ((wall: number) => void) | null = null;

  constructor(source: TimeSource, start: ClockStart) {
    this.#source = source;
    this.#after = start.after ?? 0;
    const monotonic = source.monotonic();
    const wall = source.wall();
    const goesOn = start.base !== null;
    const first = Math.ceil(Math.max(start.floor, goesOn ? monotonic + start.base : wall));
    this.#first = first;
    this.#base = first - monotonic;
    this.#last = first - 1;
    // One from a later key on is of a key that was never given.
    const known = start.corrections.filter(({ from }) => from <= first);
    // What was in doubt at the end of an earlier boot stays as it is.
    this.#corrections = goesOn ? known : known.map(({ from, offset }) => ({ from, offset }));
    // Nothing is known of the keys before: they are taken for wall time, whatever the wall clock says now.
    if (known.length === 0) this.#corrections.push({ from: 0, offset: 0 });
    if (goesOn) {
      this.#compare(monotonic);
      this.#catchUp(monotonic);
      return;
    }
    const doubt = !this.#couldBe(wall, monotonic);
    const offset = Math.round(wall - first);
    if (doubt || Math.abs(offset - this.offset) > STEP) {
      this.#push(correctionOf(first, Math.abs(offset) > STEP ? offset : 0, doubt));
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

  /**
   * What is found of keys from before this clock, one that did not go on from another; what was known of them stays, and
   * of its own nothing changes.
   */
  learn(found: readonly Correction[]): void {
    const first = this.#first;
    const earlier = found.filter(({ from }) => from < first).map(({ from, offset }) => ({ from, offset }));
    const inForce = this.#corrections.findLast(({ from }) => from <= first) ?? this.#corrections[0];
    this.#corrections = joinCorrections(earlier, this.#corrections, [{ ...inForce, from: first }]);
  }

  /** Wall time now, as the corrections have it. Microseconds. */
  wallNow(): number {
    this.#compare(this.#source.monotonic());
    return this.wallOf(this.now());
  }

  /**
   * How long ago a key was given, as keys have it or as wall time has it, whichever is less: neither a wall clock that
   * was wrong when it was given nor one that is wrong now makes a message old. Microseconds.
   */
  ageOf(key: number): number {
    return Math.min(this.now() - key, this.wallNow() - this.wallOf(key));
  }

  /** The keys whose corrected wall time lies in `start..end`, both included. */
  keysOf(start: number, end: number): KeyRange[] {
    return keysOfWall(this.#corrections, start, end);
  }

  wallOf(key: number): number {
    return wallOfKey(this.#corrections, key);
  }

  /** What turns the keys `start..end` into wall time. */
  correctionsWithin(start: number, end: number): Correction[] {
    return correctionsWithin(this.#corrections, start, end);
  }

  /** Of the keys that are given now. Microseconds. */
  get offset(): number {
    return this.#corrections[this.#corrections.length - 1].offset;
  }

  /** The wall clock has not been right since the machine was started, as far as can be told. */
  get doubtful(): boolean {
    return this.#corrections[this.#corrections.length - 1].doubt === 'open';
  }

  /** The wall clock shows a time that can be, and did so before. */
  get plausible(): boolean {
    return this.#sound && !this.doubtful;
  }

  #compare(monotonic: number): void {
    this.#lookAt = monotonic + LOOK_EVERY;
    const wall = this.#source.wall();
    const { doubtful } = this;
    const sound = doubtful || wall >= EARLIEST;
    if (sound !== this.#sound) {
      this.#sound = sound;
      if (!sound) this.onNonsense?.(wall);
    }
    if (!sound) return;
    const offset = Math.round(wall - monotonic - this.#base);
    const change = offset - this.offset;
    if (Math.abs(change) <= STEP) return;
    if (!doubtful || Math.abs(change) <= SET) {
      const from = Math.max(Math.floor(monotonic + this.#base), this.#last + 1);
      this.#push(correctionOf(from, offset, doubtful));
    }
    if (doubtful) this.#revise(offset - this.offset, this.#couldBe(wall, monotonic));
    this.onCorrection?.(this.#corrections[this.#corrections.length - 1], change);
  }

  /** Keys that are behind wall time go on with it: only between two processes, so that they keep the pace of a drive. */
  #catchUp(monotonic: number): void {
    const { doubtful, offset } = this;
    if (offset <= 0) return;
    this.#base += offset;
    const first = Math.max(Math.ceil(monotonic + this.#base), this.#last + 1);
    this.#last = first - 1;
    this.#push(correctionOf(first, 0, doubtful));
  }

  /** The machine cannot have been started before it was last seen running. */
  #couldBe(wall: number, monotonic: number): boolean {
    return wall >= EARLIEST && wall - monotonic >= this.#after;
  }

  /** All that is in doubt changes by as much as the wall clock did; `right`: it is in doubt no more. */
  #revise(change: number, right: boolean): void {
    this.#corrections = this.#corrections.map(({ from, offset, doubt }) => {
      if (doubt === undefined) return { from, offset };
      if (doubt === 'settled') return { from, offset, doubt };
      return { from, offset: offset + change, doubt: right ? 'settled' : 'open' };
    });
  }

  #push(correction: Correction): void {
    // No key was given from there on: the earlier one says nothing.
    if (this.#corrections.at(-1)!.from === correction.from) this.#corrections.pop();
    this.#corrections.push(correction);
    if (this.#corrections.length > MOST_CORRECTIONS)
      this.#corrections = thinned(this.#corrections, MOST_CORRECTIONS, SET);
  }
}

function correctionOf(from: number, offset: number, open: boolean): Correction {
  return open ? { from, offset, doubt: 'open' } : { from, offset };
}

import { EARLIEST } from '../../src/clock/clock.js';
import type { FakeTime } from './machine.js';

/** A drift is followed in steps of this, and a look is at most a millisecond old. Microseconds. */
const FOLLOWED = 50_000;
const LOOK = 1_000;

export interface Seen {
  readonly key: number;
  /** The boot of the machine that it was given in. */
  readonly boot: number;
  /** Wall time; null: nobody can know it any more. */
  when: number | null;
  /** By how much another answer may be off. */
  tolerance: number;
  /** What files tell of its time is true. */
  filed: boolean;
}

/**
 * What somebody knows who sees everything: which time every key has. It is told what happens to the clocks instead of
 * finding out, and keeps a time for each key, and no corrections.
 */
export class Observer {
  readonly seen: Seen[] = [];
  readonly #time: FakeTime;
  #boot = 0;
  #bootId = '';
  /** In this boot the wall clock was never right. */
  #doubtful = false;
  /** The wall clock was right in this boot and shows nonsense now, by so much. */
  #nonsense = 0;
  /** By how much the wall clock was set since the last look. */
  #set = 0;
  /** A wall time before this boot, and the last one that was saved. */
  #after = 0;
  #saved = 0;

  constructor(time: FakeTime) {
    this.#time = time;
  }

  /** The wall clock was set by so much, or the machine slept so long. */
  set(micros: number): void {
    this.#set += micros;
  }

  /** The program looks at the clocks. */
  look(): void {
    const { bootId, now, uptime } = this.#time;
    const set = this.#set;
    this.#set = 0;
    if (bootId !== this.#bootId) {
      this.#boot++;
      this.#bootId = bootId;
      this.#after = this.#saved;
      this.#nonsense = 0;
      this.#doubtful = true;
    } else if (this.#doubtful) {
      if (set !== 0) this.#revise(set);
    } else {
      this.#nonsense = now < EARLIEST ? this.#nonsense + set : 0;
    }
    if (now >= EARLIEST && now - uptime >= this.#after) this.#doubtful = false;
  }

  gave(key: number): void {
    const [when, tolerance] = [this.#wall, FOLLOWED + LOOK];
    this.seen.push({ key, boot: this.#boot, when, tolerance, filed: false });
  }

  saved(): void {
    this.#saved = this.#wall;
  }

  /** All keys are in files. A file tells of the time of all keys of its boot. */
  filed(): void {
    for (const one of this.seen) if (!one.filed && one.boot === this.#boot) one.filed = true;
  }

  /** The state of the clock is gone, and with it what no file tells, and that it is still the same boot. */
  lost(): void {
    for (const one of this.seen) if (!one.filed) one.when = null;
    this.#bootId = '';
    this.#saved = 0;
  }

  get #wall(): number {
    return this.#time.now - this.#nonsense;
  }

  #revise(change: number): void {
    for (const one of this.seen) {
      if (one.boot !== this.#boot || one.when === null) continue;
      one.when += change;
      one.tolerance += FOLLOWED;
      one.filed = false;
    }
  }
}

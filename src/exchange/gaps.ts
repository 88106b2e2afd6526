import type { KeyRange } from '../clock/correction.js';

/**
 * - `dropped`: overwritten before it was recorded (`drop-oldest`)
 * - `rejected`: not captured, the ring was full (`reject`)
 * - `too-large`: not captured, larger than the ring
 * - `being-written`: overwritten, but the recorder has it; the next file will hold it
 * - `lost`: the recorder had it and could not write it
 * - `crash`: the process before ended without writing what it had; how many is not known
 */
export type GapReason = 'dropped' | 'rejected' | 'too-large' | 'being-written' | 'lost' | 'crash';

/** Messages that are missing: the keys of the first and the last one, and how many (null: not known). */
export interface Gap {
  readonly start: number;
  readonly end: number;
  readonly messages: number | null;
  readonly reason: GapReason;
}

/** More gaps than this are joined, oldest first: the count stays exact, the time becomes coarser. */
const MOST_GAPS = 10_000;

/** What a stream is missing, in the order of the keys. */
export class Gaps {
  #gaps: Gap[] = [];

  get count(): number {
    return this.#gaps.length;
  }

  /** One missing message. `follows`: nothing was kept between the one before it and this. */
  add(key: number, reason: GapReason, follows: boolean): void {
    const last = this.#gaps.at(-1);
    if (follows && last !== undefined && last.reason === reason && last.messages !== null && last.end < key) {
      this.#gaps[this.#gaps.length - 1] = { ...last, end: key, messages: last.messages + 1 };
    } else {
      this.insert({ start: key, end: key, messages: 1, reason });
    }
  }

  insert(gap: Gap): void {
    this.#gaps.push(gap);
    // Drops are found later than rejections of the same time; nearly always there is nothing to move.
    for (let i = this.#gaps.length - 1; i > 0 && this.#gaps[i - 1].start > gap.start; i--) {
      this.#gaps[i] = this.#gaps[i - 1];
      this.#gaps[i - 1] = gap;
    }
    if (this.#gaps.length > MOST_GAPS) this.#gaps = joinOldest(this.#gaps);
  }

  /** The gaps that touch any of the ranges. */
  within(ranges: readonly KeyRange[]): Gap[] {
    return this.#gaps.filter((gap) => ranges.some(({ start, end }) => gap.start <= end && gap.end >= start));
  }
}

/** Pairs of the older half become one. */
function joinOldest(gaps: readonly Gap[]): Gap[] {
  const half = Math.floor(gaps.length / 2);
  const joined: Gap[] = [];
  for (let i = 0; i < half; i += 2) {
    const [first, second] = [gaps[i], gaps[i + 1]];
    const messages =
      first.messages === null || second.messages === null ? null : first.messages + second.messages;
    joined.push({ start: first.start, end: Math.max(first.end, second.end), messages, reason: first.reason });
  }
  return [...joined, ...gaps.slice(half + (half % 2))];
}

import type { KeyRange } from '../clock/correction.js';

/**
 * - `dropped`: overwritten before it was recorded (`drop-oldest`)
 * - `rejected`: not captured, the ring was full (`reject`)
 * - `too-large`: not captured, larger than the ring
 * - `being-written`: overwritten, but the recorder has it; the next file will hold it
 * - `being-recovered`: in the journal that the process before has left, if at all; a file will hold it
 * - `stopped`: not captured, because the disk did not take what the stream had (`stop-capture`)
 * - `deleted`: was in a file that was deleted to make room on a full disk (`drop-oldest-files`)
 * - `lost`: the recorder had it and could not write it
 * - `crash`: the process before ended without writing what it had; how many is not known
 */
export type GapReason =
  | 'dropped'
  | 'rejected'
  | 'too-large'
  | 'being-written'
  | 'being-recovered'
  | 'stopped'
  | 'deleted'
  | 'lost'
  | 'crash';

/** Whether what is missing may be in a file soon. */
export function isPassing(reason: string): boolean {
  return reason === 'being-written' || reason === 'being-recovered';
}

/** Messages that are missing: the keys of the first and the last one, and how many (null: not known). */
export interface Gap {
  readonly start: number;
  readonly end: number;
  readonly messages: number | null;
  readonly reason: GapReason;
}

type Growing = { -readonly [Key in keyof Gap]: Gap[Key] };

/**
 * More gaps than this are joined, oldest first: the count stays exact, the time becomes coarser, and the reason is
 * that of the first one.
 */
const MOST_GAPS = 10_000;

/** What a stream is missing, in the order of the keys. */
export class Gaps {
  #gaps: Growing[] = [];
  /** The latest one of each reason, which the next message may follow. */
  readonly #latest = new Map<GapReason, Growing>();

  get count(): number {
    return this.#gaps.length;
  }

  /** One missing message. `follows`: nothing was kept between the one before it, of the same reason, and this. */
  add(key: number, reason: GapReason, follows: boolean): void {
    const latest = follows ? this.#latest.get(reason) : undefined;
    if (latest === undefined || latest.messages === null) {
      this.insert({ start: key, end: key, messages: 1, reason });
    } else {
      latest.end = key;
      latest.messages++;
    }
  }

  insert(gap: Gap): void {
    const added = { ...gap };
    this.#gaps.push(added);
    // Drops are found later than rejections of the same time; nearly always there is nothing to move.
    for (let i = this.#gaps.length - 1; i > 0 && this.#gaps[i - 1].start > gap.start; i--) {
      this.#gaps[i] = this.#gaps[i - 1];
      this.#gaps[i - 1] = added;
    }
    this.#latest.set(gap.reason, added);
    if (this.#gaps.length <= MOST_GAPS) return;
    this.#gaps = joinOldest(this.#gaps);
    this.#latest.clear();
  }

  /** The gaps that touch any of the ranges. */
  within(ranges: readonly KeyRange[]): Gap[] {
    return this.#gaps
      .filter((gap) => ranges.some(({ start, end }) => gap.start <= end && gap.end >= start))
      .map((gap) => ({ ...gap }));
  }
}

/** Pairs of the older half become one, except where it is not known how many are missing. */
function joinOldest(gaps: readonly Growing[]): Growing[] {
  const half = Math.floor(gaps.length / 4) * 2;
  const joined: Growing[] = [];
  for (let i = 0; i < half; i += 2) {
    const [first, second] = [gaps[i], gaps[i + 1]];
    if (first.messages === null || second.messages === null) {
      joined.push(first, second);
    } else {
      const messages = first.messages + second.messages;
      joined.push({ ...first, end: Math.max(first.end, second.end), messages });
    }
  }
  return [...joined, ...gaps.slice(half)];
}

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
 * - `unreadable`: the file that holds it is corrupt, gone, or refused by the disk
 * - `unknown`: the record of gaps, or a journal, was damaged or not up to date at a crash; whether anything is missing there
 *   is not known
 */
export const GAP_REASONS = [
  'dropped',
  'rejected',
  'too-large',
  'being-written',
  'being-recovered',
  'stopped',
  'deleted',
  'lost',
  'crash',
  'unreadable',
  'unknown',
] as const;
export type GapReason = (typeof GAP_REASONS)[number];

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

/** What is known of a stream's gaps. */
export interface KnownGaps {
  /** Everything up to this key is in files or among the gaps; null: that is not known. */
  readonly settled: number | null;
  /** Up to this key, retention took everything, gaps included; null: it took nothing yet. */
  readonly forgotten: number | null;
  readonly gaps: readonly Gap[];
}

/** What is new since it was asked for last: gaps in the place of those with the same start and reason. */
export interface GapChanges extends KnownGaps {
  /** Some became one or are none any more: what was told of them before does not hold. */
  readonly rewritten: boolean;
}

/** What a stream is missing, in the order of the keys. */
export class Gaps {
  #gaps: Growing[] = [];
  /** The latest one of each reason, which the next message may follow. */
  readonly #latest = new Map<GapReason, Growing>();
  #settled: number | null = null;
  #forgotten: number | null = null;
  #begun = false;
  readonly #changed = new Set<Growing>();
  /** In `#changed` already: a gap grows with every message, and one comparison is all that costs. */
  #growing: Growing | null = null;
  #rewritten = false;
  /** Something is new, or was new before and is so again since `takeChanges`. On the hot path. */
  onChange: () => void = () => {};

  /** What is known from before. */
  static restored({ settled, forgotten, gaps }: KnownGaps): Gaps {
    const restored = new Gaps();
    restored.#settled = settled;
    restored.#forgotten = forgotten;
    restored.#gaps = gaps.map((gap) => ({ ...gap })).sort((a, b) => a.start - b.start);
    return restored;
  }

  get count(): number {
    return this.#gaps.length;
  }

  /** Everything up to this key is in files or among the gaps; null: that is not known. */
  get settled(): number | null {
    return this.#settled;
  }

  /** What came before this process, the last key being `key`, is in files or among the gaps. */
  begin(key: number): void {
    this.#begun = true;
    this.settle(key);
  }

  /** What is known of a gap of unknown size now: `gaps` are left of it. */
  replace({ start, end, messages, reason }: Gap, gaps: readonly Gap[]): void {
    const at = this.#gaps.findIndex(
      (one) => one.start === start && one.end === end && one.reason === reason && one.messages === messages,
    );
    if (at < 0) return;
    const [gone] = this.#gaps.splice(at, 1);
    this.#changed.delete(gone);
    if (this.#latest.get(reason) === gone) this.#latest.delete(reason);
    this.#rewritten = true;
    for (const gap of gaps) this.insert(gap);
    this.onChange();
  }

  /** Everything up to `key` is in files or among the gaps. Before `begin` nobody can say so. */
  settle(key: number): void {
    if (!this.#begun || (this.#settled !== null && key <= this.#settled)) return;
    this.#settled = key;
    this.onChange();
  }

  /** One missing message. `follows`: nothing was kept between the one before it, of the same reason, and this. */
  add(key: number, reason: GapReason, follows: boolean): void {
    const latest = follows ? this.#latest.get(reason) : undefined;
    if (latest === undefined || latest.messages === null) {
      this.insert({ start: key, end: key, messages: 1, reason });
    } else {
      latest.end = key;
      latest.messages++;
      if (latest === this.#growing) return;
      this.#growing = latest;
      this.#changed.add(latest);
      this.onChange();
    }
  }

  insert(gap: Gap): void {
    if (this.#forgotten !== null && gap.end <= this.#forgotten) return;
    const added = { ...gap };
    this.#gaps.push(added);
    // Drops are found later than rejections of the same time; nearly always there is nothing to move.
    for (let i = this.#gaps.length - 1; i > 0 && this.#gaps[i - 1].start > gap.start; i--) {
      this.#gaps[i] = this.#gaps[i - 1];
      this.#gaps[i - 1] = added;
    }
    this.#latest.set(gap.reason, added);
    this.#changed.add(added);
    if (this.#gaps.length > MOST_GAPS) {
      this.#gaps = joinOldest(this.#gaps);
      this.#latest.clear();
      this.#rewritten = true;
    }
    this.onChange();
  }

  /** Retention took everything up to `key`: the gaps that lie before are none any more. */
  forget(key: number): void {
    if (this.#forgotten !== null && key <= this.#forgotten) return;
    this.#forgotten = key;
    this.#gaps = this.#gaps.filter(({ end }) => end > key);
    for (const [reason, { end }] of this.#latest) if (end <= key) this.#latest.delete(reason);
    for (const gap of this.#changed) if (gap.end <= key) this.#changed.delete(gap);
    this.onChange();
  }

  /** The gaps that touch any of the ranges. */
  within(ranges: readonly KeyRange[]): Gap[] {
    return this.#gaps
      .filter((gap) => ranges.some(({ start, end }) => gap.start <= end && gap.end >= start))
      .map((gap) => ({ ...gap }));
  }

  known(): KnownGaps {
    return { settled: this.#settled, forgotten: this.#forgotten, gaps: this.#gaps };
  }

  takeChanges(): GapChanges {
    let changed = [...this.#changed];
    if (this.#rewritten) {
      // Those that became a part of another one are none any more.
      const gaps = new Set(this.#gaps);
      changed = changed.filter((gap) => gaps.has(gap));
    }
    const changes = { ...this.known(), gaps: changed, rewritten: this.#rewritten };
    this.#changed.clear();
    this.#growing = null;
    this.#rewritten = false;
    return changes;
  }
}

/** Pairs of the older half become one: those whose number is known, and those whose is not; all, if that is not enough. */
function joinOldest(gaps: readonly Growing[]): Growing[] {
  const half = Math.floor(gaps.length / 4) * 2;
  const alike = joinPairs(gaps.slice(0, half), (a, b) => (a.messages === null) === (b.messages === null));
  const joined = alike.length < half ? alike : joinPairs(gaps.slice(0, half), () => true);
  return [...joined, ...gaps.slice(half)];
}

function joinPairs(
  gaps: readonly Growing[],
  mayJoin: (first: Growing, second: Growing) => boolean,
): Growing[] {
  const joined: Growing[] = [];
  for (let i = 0; i < gaps.length; i += 2) {
    const [first, second] = [gaps[i], gaps[i + 1]];
    if (!mayJoin(first, second)) {
      joined.push(first, second);
      continue;
    }
    const unknown = first.messages === null || second.messages === null;
    const messages = unknown ? null : first.messages! + second.messages!;
    joined.push({ ...first, end: Math.max(first.end, second.end), messages });
  }
  return joined;
}

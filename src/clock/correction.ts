import { z } from 'zod';

/** From key `from` on, until the next correction, wall time = key + `offset` (microseconds). */
export interface Correction {
  readonly from: number;
  readonly offset: number;
  /**
   * `open`: the wall clock has not been right since this boot of the machine, as far as can be told, and the offset
   * becomes another one when it is set. `settled`: that has happened; who knows it as `open` knows less.
   */
  readonly doubt?: 'open' | 'settled' | undefined;
}

/** As it is written to `clock.json` and to files. */
export const CORRECTION = z.object({
  from: z.int(),
  offset: z.int(),
  doubt: z.enum(['open', 'settled']).optional(),
});

/** Keys `start` to `end`, both included. */
export interface KeyRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The keys of all messages whose wall time lies in `start..end` (both included): one range a stretch between
 * corrections, since an hour that the wall clock showed twice has two. Ascending, disjoint, joined where they touch.
 */
export function keysOfWall(corrections: readonly Correction[], start: number, end: number): KeyRange[] {
  const ranges: KeyRange[] = [];
  for (let i = 0; i < corrections.length; i++) {
    const { from, offset } = corrections[i];
    const lowest = i === 0 ? 0 : from;
    const highest = i + 1 < corrections.length ? corrections[i + 1].from - 1 : Number.MAX_SAFE_INTEGER;
    const first = Math.max(lowest, start - offset);
    const last = Math.min(highest, end - offset);
    if (first > last) continue;
    const before = ranges.at(-1);
    if (before !== undefined && before.end + 1 === first)
      ranges[ranges.length - 1] = { start: before.start, end: last };
    else ranges.push({ start: first, end: last });
  }
  return ranges;
}

/** The wall time at which `key` was given. */
export function wallOfKey(corrections: readonly Correction[], key: number): number {
  let low = 0;
  let high = corrections.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (corrections[middle].from <= key) low = middle + 1;
    else high = middle;
  }
  return key + corrections[Math.max(0, low - 1)].offset;
}

/** Those that hold for the keys `start..end`: the one in force at `start`, and those behind it. */
export function correctionsWithin(
  corrections: readonly Correction[],
  start: number,
  end: number,
): Correction[] {
  const known = corrections.filter(({ from }) => from <= end);
  const inForce = known.findLastIndex(({ from }) => from <= start);
  return known.slice(Math.max(0, inForce)).map(({ from, offset }) => ({ from, offset }));
}

/**
 * Corrections from several sources as one list: ascending, one for each key, and only where the offset or the
 * doubt changes. Of two for one key the later one counts, unless only that is in doubt.
 */
export function joinCorrections(...lists: readonly (readonly Correction[])[]): Correction[] {
  const byKey = new Map<number, Correction>();
  for (const correction of lists.flat()) {
    const { from, doubt } = correction;
    const known = byKey.get(from);
    if (doubt !== 'open' || known === undefined || known.doubt === 'open') byKey.set(from, correction);
  }
  const ascending = [...byKey.values()].sort((a, b) => a.from - b.from);
  return ascending.filter(({ offset, doubt }, i) => {
    const before = ascending[i - 1];
    return i === 0 || offset !== before.offset || doubt !== before.doubt;
  });
}

/** Those that files tell of; what is no correction is left out. */
export function correctionsIn(
  files: readonly { readonly clock: Readonly<Record<string, unknown>> }[],
): Correction[] {
  return files.flatMap(({ clock: { corrections } }) => {
    const parsed = z.array(z.unknown()).safeParse(corrections).data ?? [];
    return parsed.flatMap((one) => CORRECTION.safeParse(one).data ?? []);
  });
}

/**
 * At most `most` corrections that say the same but less finely: of the older half those that change little are left
 * out, first by `least` microseconds, and if that is not enough by twice as much, and so on. Steps stay as they are.
 */
export function thinned(corrections: readonly Correction[], most: number, least: number): Correction[] {
  let older = corrections.slice(0, -most / 2);
  const newer = corrections.slice(-most / 2);
  for (let change = least; older.length + newer.length > most; change *= 2) older = coarser(older, change);
  return [...older, ...newer];
}

/** Without those whose offset is within `change` of the last one that is kept. */
function coarser(corrections: readonly Correction[], change: number): Correction[] {
  let kept: Correction | undefined;
  return corrections.filter((correction) => {
    if (kept !== undefined && Math.abs(correction.offset - kept.offset) <= change) return false;
    kept = correction;
    return true;
  });
}

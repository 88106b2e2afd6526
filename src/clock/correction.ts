/** From key `from` on, until the next correction, wall time = key + `offset` (microseconds). */
export interface Correction {
  readonly from: number;
  readonly offset: number;
}

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

/** Corrections from several sources as one list: ascending, one for each key, and only where the offset changes. */
export function joinCorrections(...lists: readonly (readonly Correction[])[]): Correction[] {
  const byKey = new Map<number, Correction>();
  for (const list of lists) for (const correction of list) byKey.set(correction.from, correction);
  const ascending = [...byKey.values()].sort((a, b) => a.from - b.from);
  return ascending.filter((correction, i) => i === 0 || correction.offset !== ascending[i - 1].offset);
}

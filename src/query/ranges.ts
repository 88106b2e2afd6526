import type { KeyRange } from '../catalog/entry.js';

/** What of ranges is within bounds; null: nothing is. */
export function overlap(ranges: readonly KeyRange[], bounds: KeyRange | null): KeyRange[] {
  if (bounds === null) return [];
  return ranges
    .map(({ start, end }) => ({ start: Math.max(start, bounds.start), end: Math.min(end, bounds.end) }))
    .filter(({ start, end }) => start <= end);
}

/** The same keys in ranges that are ascending and disjoint. */
export function joined(ranges: readonly KeyRange[]): KeyRange[] {
  const result: KeyRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last !== undefined && range.start <= last.end + 1) {
      result[result.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    } else {
      result.push(range);
    }
  }
  return result;
}

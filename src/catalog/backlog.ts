/** The files of one stream that are known by their names alone, because their footers are not read yet. */
import type { Candidate } from './candidate.js';
import type { KeyRange } from './entry.js';
import { type FileLabel, parseFileName } from './naming.js';

/** Files whose keys overlap by name. One may be made of the others, so they are judged together. */
export interface Group {
  readonly firstKey: number;
  readonly lastKey: number;
  readonly candidates: readonly Candidate[];
}

export class Backlog {
  /** Ascending and disjoint. */
  #groups: readonly Group[];
  #files: number;
  /** Files whose names tell nothing: who needs to know what there is reads these first. */
  readonly nameless: readonly Candidate[];

  constructor(candidates: readonly Candidate[]) {
    const named: { candidate: Candidate; label: FileLabel }[] = [];
    const nameless: Candidate[] = [];
    for (const candidate of candidates) {
      const label = parseFileName(candidate.name);
      if (label === null) nameless.push(candidate);
      else named.push({ candidate, label });
    }
    this.nameless = nameless;
    this.#groups = grouped(named);
    this.#files = named.length;
  }

  get files(): number {
    return this.#files;
  }

  /** How many files have keys of `ranges`, which ascend and are disjoint. */
  within(ranges: readonly KeyRange[]): number {
    let files = 0;
    let next = 0;
    for (const { firstKey, lastKey, candidates } of this.#groups) {
      while (next < ranges.length && ranges[next]!.end < firstKey) next += 1;
      if (next === ranges.length) break;
      if (ranges[next]!.start <= lastKey) files += candidates.length;
    }
    return files;
  }

  /** At most so many groups, those with the highest keys. */
  newest(most: number): readonly Group[] {
    return this.#groups.slice(-most);
  }

  /** Their footers are read. */
  remove(groups: readonly Group[]): void {
    const read = new Set(groups);
    this.#groups = this.#groups.filter((group) => !read.has(group));
    for (const { candidates } of read) this.#files -= candidates.length;
  }
}

function grouped(named: { candidate: Candidate; label: FileLabel }[]): Group[] {
  const groups: { firstKey: number; lastKey: number; candidates: Candidate[] }[] = [];
  for (const { candidate, label } of named.sort((a, b) => a.label.firstKey - b.label.firstKey)) {
    const { firstKey, lastKey } = label;
    const last = groups.at(-1);
    if (last !== undefined && firstKey <= last.lastKey) {
      last.lastKey = Math.max(last.lastKey, lastKey);
      last.candidates.push(candidate);
    } else {
      groups.push({ firstKey, lastKey, candidates: [candidate] });
    }
  }
  return groups;
}

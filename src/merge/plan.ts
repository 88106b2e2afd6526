/** Which files of a stream are worth being one. */
import { posix } from 'node:path';
import type { FileEntry } from '../catalog/entry.js';
import type { Retention } from '../catalog/retention.js';

/** What a merged file may be. */
export interface MergeLimits {
  /** Raw bytes; what has as many stays as it is. */
  readonly rawBytes: number;
  readonly bytes: number;
  /** From its first to its last key, microseconds. */
  readonly span: number;
}

/** So many files become one while their day goes on; after it, two. */
const ENOUGH = 16;
/** While their day goes on a file is written again only together with three times as much: it grows fourfold at least. */
const LARGEST_PART = 1 / 4;
/** So many at once: they are all kept until the new one is there. */
const MOST = 256;
/** A file leaves as a whole: of what is kept it is this at most. */
const KEPT_PART = 1 / 8;

/** Of files of up to `below` raw bytes, of a stream that keeps so much: what is kept goes in smaller parts. */
export function limitsOf(below: number, { maxBytes, maxAge }: Retention): MergeLimits {
  return {
    rawBytes: below,
    bytes: (maxBytes || Number.POSITIVE_INFINITY) * KEPT_PART,
    span: (maxAge * 1000 || Number.POSITIVE_INFINITY) * KEPT_PART,
  };
}

/**
 * The files to merge next, at least two, in order; none if it is not worth it. `files` are all of a stream, in order. They
 * follow each other in one folder and overlap no file. `unfit`: paths of files that are to stay; `fences`: first keys of
 * files that are not there and may be put back between others.
 */
export function nextMerge(
  files: readonly FileEntry[],
  limits: MergeLimits,
  unfit: ReadonlySet<string>,
  fences: readonly number[],
): readonly FileEntry[] {
  const runs = runsOf(files, limits, unfit, fences);
  for (const run of runs) {
    const group = groupOf(run, limits, isRipe);
    if (group !== null) return group;
  }
  const lastFolder = files.length === 0 ? '' : folderOf(files[files.length - 1]);
  for (const run of runs) {
    const group = folderOf(run[0]) === lastFolder ? null : groupOf(run, limits, () => true);
    if (group !== null) return group;
  }
  return [];
}

/** Files that may be merged, with no other between them. */
function runsOf(
  files: readonly FileEntry[],
  limits: MergeLimits,
  unfit: ReadonlySet<string>,
  fences: readonly number[],
): readonly (readonly FileEntry[])[] {
  const ahead = [...fences].sort((a, b) => b - a);
  const runs: FileEntry[][] = [];
  let run: FileEntry[] | null = null;
  let reach = -1;
  files.forEach((file, i) => {
    const { firstKey, lastKey, path, rawBytes, seq } = file;
    const apart = firstKey > reach && lastKey < (files[i + 1]?.firstKey ?? Number.POSITIVE_INFINITY);
    reach = Math.max(reach, lastKey);
    while (ahead.length > 0 && ahead[ahead.length - 1] <= firstKey) {
      ahead.pop();
      run = null;
    }
    // A file whose name tells no number is somebody else's.
    if (!apart || seq === 0 || rawBytes >= limits.rawBytes || unfit.has(path)) {
      run = null;
    } else if (run !== null && folderOf(run[0]) === folderOf(file)) {
      run.push(file);
    } else {
      run = [file];
      runs.push(run);
    }
  });
  return runs;
}

/** What a group is judged by. */
interface Sum {
  readonly files: number;
  readonly rawBytes: number;
  /** Raw bytes of the largest one. */
  readonly largest: number;
  /** The next one would be too much. */
  readonly full: boolean;
}

function isRipe({ files, rawBytes, largest, full }: Sum): boolean {
  return (full || files >= ENOUGH) && largest <= rawBytes * LARGEST_PART;
}

/** The first files of a run that are `good` together, and as many of them as can be; null: there are none. */
function groupOf(
  run: readonly FileEntry[],
  limits: MergeLimits,
  good: (sum: Sum) => boolean,
): readonly FileEntry[] | null {
  for (let start = 0; start < run.length - 1; start++) {
    let best = start;
    let [rawBytes, bytes, largest] = [0, 0, 0];
    for (let end = start; end < Math.min(run.length, start + MOST); end++) {
      const file = run[end];
      bytes += file.bytes;
      const full =
        rawBytes + file.rawBytes > limits.rawBytes ||
        bytes > limits.bytes ||
        file.lastKey - run[start].firstKey > limits.span;
      if (full) {
        if (end > start + 1 && good({ files: end - start, rawBytes, largest, full })) best = end;
        break;
      }
      rawBytes += file.rawBytes;
      largest = Math.max(largest, file.rawBytes);
      if (end > start && good({ files: end + 1 - start, rawBytes, largest, full })) best = end + 1;
    }
    if (best > start) return run.slice(start, best);
  }
  return null;
}

function folderOf({ path }: FileEntry): string {
  return posix.dirname(path);
}

/** The files of one stream, in order, found by key. */
import { compareEntries, type FileEntry, type KeyRange } from './entry.js';

export class Shelf {
  #files: FileEntry[] = [];
  /** `#reach[i]` is the highest last key of files 0 to i: ascending even where files overlap. */
  #reach: number[] = [];
  #byPath = new Map<string, FileEntry>();
  #bytes = 0;
  #rows = 0;

  get files(): readonly FileEntry[] {
    return this.#files;
  }

  get totals(): { files: number; bytes: number; rows: number } {
    return { files: this.#files.length, bytes: this.#bytes, rows: this.#rows };
  }

  /** The highest key in any file; `null` without files. */
  get lastKey(): number | null {
    return this.#reach.at(-1) ?? null;
  }

  get(path: string): FileEntry | undefined {
    return this.#byPath.get(path);
  }

  add(entry: FileEntry): void {
    const index = firstIndex(this.#files, (file) => compareEntries(file, entry) > 0);
    this.#files.splice(index, 0, entry);
    this.#byPath.set(entry.path, entry);
    this.#bytes += entry.bytes;
    this.#rows += entry.rows;
    this.#reach.splice(index, 0, Number.NaN);
    this.#measure(index);
  }

  /** Those of `entries` that are here leave. */
  remove(entries: readonly FileEntry[]): void {
    const leaving = new Set(entries.map((entry) => entry.path));
    this.#files = this.#files.filter((file) => {
      if (!leaving.has(file.path)) return true;
      this.#byPath.delete(file.path);
      this.#bytes -= file.bytes;
      this.#rows -= file.rows;
      return false;
    });
    this.#reach = this.#files.map(() => Number.NaN);
    this.#measure(0);
  }

  /** The first file that overlaps the range. */
  first({ start, end }: KeyRange): FileEntry | undefined {
    // Its own last key is what lifts the reach over `start`.
    const file = this.#files[firstIndex(this.#reach, (key) => key >= start)];
    return file !== undefined && file.firstKey <= end ? file : undefined;
  }

  /** The files that overlap at least one range, each once, in order. */
  within(ranges: readonly KeyRange[]): FileEntry[] {
    const found: FileEntry[] = [];
    let next = 0;
    const usable = ranges.filter(({ start, end }) => start <= end).sort((a, b) => a.start - b.start);
    for (const { start, end } of usable) {
      // Starts ascend: what an earlier range passed over below `next` ends before this one's start too.
      next = Math.max(
        next,
        firstIndex(this.#reach, (key) => key >= start),
      );
      for (; next < this.#files.length && this.#files[next]!.firstKey <= end; next += 1) {
        const file = this.#files[next]!;
        if (file.lastKey >= start) found.push(file);
      }
    }
    return found;
  }

  /** From where it is not known on, until it is as it was: the rest follows from that. */
  #measure(from: number): void {
    for (let i = from; i < this.#files.length; i += 1) {
      const { lastKey } = this.#files[i]!;
      const reach = i === 0 ? lastKey : Math.max(lastKey, this.#reach[i - 1]!);
      if (this.#reach[i] === reach) return;
      this.#reach[i] = reach;
    }
  }
}

/** The first index for which `holds` is true, its length if none; `holds` is false up to there, then true. */
function firstIndex<T>(list: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(list[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

import { join } from 'node:path';
import { type FileLabel, isDateFolder, parseFileName, streamFolder } from '../../catalog/naming.js';
import { type Disk, syncPath } from '../disk.js';
import type { FileNumbers } from '../protocol.js';

/** Both included. */
interface KeyRange {
  readonly firstKey: number;
  readonly lastKey: number;
}

/**
 * Which messages of a stream are in files, as the names of all of them tell. The highest key would not: the file of a batch is
 * often there before that of what an earlier process left, whose keys are lower.
 */
export class Filed {
  /** Of the next file: above all that are there, and all that are known. */
  readonly nextNumber: number;
  /** Ascending and apart from each other. */
  readonly #ranges: KeyRange[] = [];

  /**
   * Throws what the disk throws. From then on the names survive a power cut: of a process that died the last one may not. Files
   * that a thread made which ended before it told are removed: the ring or a segment has their messages, and nobody knows of them.
   */
  constructor(disk: Disk, dataDir: string, stream: string, numbers: FileNumbers) {
    const { next, told, untoldFrom } = numbers;
    let last = Math.max(next - 1, ...told);
    const labels: FileLabel[] = [];
    for (const date of disk.list(join(dataDir, streamFolder(stream))).filter(isDateFolder)) {
      const folder = join(dataDir, streamFolder(stream), date);
      for (const name of disk.list(folder)) {
        const label = parseFileName(name);
        if (label === null) continue;
        if (label.seq >= untoldFrom && !told.includes(label.seq)) {
          disk.remove(join(folder, name));
        } else {
          labels.push(label);
          last = Math.max(last, label.seq);
        }
      }
      syncPath(disk, folder);
    }
    this.nextNumber = last + 1;
    for (const { firstKey, lastKey } of labels.sort((a, b) => a.firstKey - b.firstKey)) {
      const before = this.#ranges.at(-1);
      if (before === undefined || before.lastKey < firstKey) this.#ranges.push({ firstKey, lastKey });
      else if (before.lastKey < lastKey) this.#ranges.splice(-1, 1, { firstKey: before.firstKey, lastKey });
    }
  }

  has(key: number): boolean {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle].lastKey < key) low = middle + 1;
      else high = middle;
    }
    return low < this.#ranges.length && this.#ranges[low].firstKey <= key;
  }
}

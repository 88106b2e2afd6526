import { join } from 'node:path';
import { type FileLabel, isDateFolder, parseFileName, streamFolder } from '../../catalog/naming.js';
import { type Disk, syncFolder } from '../disk.js';

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
  /** Ascending and apart from each other. */
  readonly #ranges: KeyRange[] = [];

  /**
   * Throws what the disk throws. From then on the names survive a power cut: of a process that died the last one may not. Files of
   * messages from `ringKey` on, which a thread made that ended before it told, are removed: the ring has these.
   */
  constructor(disk: Disk, dataDir: string, stream: string, ringKey: number) {
    const labels: FileLabel[] = [];
    for (const date of disk.list(join(dataDir, streamFolder(stream))).filter(isDateFolder)) {
      const folder = join(dataDir, streamFolder(stream), date);
      for (const name of disk.list(folder)) {
        const label = parseFileName(name);
        if (label === null) continue;
        if (label.lastKey >= ringKey) disk.remove(join(folder, name));
        else labels.push(label);
      }
      syncFolder(disk, folder);
    }
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

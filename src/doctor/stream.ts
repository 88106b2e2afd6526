/** One stream's folder: its files, its journal, its record of gaps, and what else lies there. */
import { posix } from 'node:path';
import { accepted } from '../catalog/candidate.js';
import type { Footer } from '../catalog/footer.js';
import { replaced } from '../catalog/merged.js';
import {
  CORRUPT_SUFFIX,
  GAPS_FILE,
  isDataName,
  isDateFolder,
  JOURNAL_FOLDER,
  parseSegmentName,
  TEMP_SUFFIX,
} from '../catalog/naming.js';
import type { Item, Patient } from './folder.js';
import { checkGaps } from './gaps.js';
import { checkJournal } from './journal.js';
import { checkFile, type Found } from './parquet-file.js';

/** What lies in the folder of a stream, by what it is. */
export class StreamFolder {
  readonly files: Found[] = [];
  readonly #name: string;
  readonly #path: string;
  readonly #segments: Item[] = [];
  #gaps: Item | null = null;
  readonly #unknown: Item[] = [];

  constructor(name: string, folder: string) {
    this.#name = name;
    this.#path = folder;
  }

  /** `parts`: its path below the folder. */
  add(item: Item, parts: readonly string[]): void {
    const [first = '', second, ...deeper] = parts;
    const { name, stats } = item;
    // Those are looked for everywhere.
    if (name.endsWith(TEMP_SUFFIX) || name.endsWith(CORRUPT_SUFFIX)) return;
    if (second === undefined) {
      if (stats.isDirectory() && (isDateFolder(first) || first === JOURNAL_FOLDER)) return;
      if (stats.isFile() && first === GAPS_FILE) this.#gaps = item;
      else this.#unknown.push(item);
      return;
    }
    const known = stats.isFile() && deeper.length === 0;
    if (known && isDateFolder(first) && isDataName(name))
      this.files.push({ item, stream: this.#name, day: first });
    else if (known && first === JOURNAL_FOLDER && parseSegmentName(name) !== null) this.#segments.push(item);
    else this.#unknown.push(item);
  }

  /** The last key of its messages; 0 without any. */
  async check(patient: Patient, read: () => void): Promise<number> {
    const { report } = patient;
    const whole: Whole[] = [];
    for (const found of this.files) {
      const footer = await checkFile(patient, found);
      if (footer !== null) whole.push({ path: found.item.path, footer });
      read();
    }
    const filed = checkOverlaps(patient, withoutMerged(patient, this.#name, whole));
    const last = await checkJournal(patient, `${this.#path}/${JOURNAL_FOLDER}`, this.#segments, filed);
    if (this.#gaps !== null) await checkGaps(patient, this.#gaps);
    for (const { path } of this.#unknown) {
      const what = 'is none of the files of a stream, and is left alone';
      report.finding({ kind: 'unknown-item', path, what, advice: 'move it out of the data folder' });
    }
    return Math.max(0, last);
  }
}

interface Whole {
  readonly path: string;
  readonly footer: Footer;
}

/** Those that count: a file whose messages are in one that was made of it waits only for being deleted. */
function withoutMerged({ inUse, report }: Patient, stream: string, files: readonly Whole[]): Whole[] {
  const known = files.map(({ path, footer }) =>
    accepted({ stream, folder: posix.dirname(path), name: posix.basename(path) }, footer),
  );
  const merged = new Set(replaced(known).map(({ path }) => path));
  for (const path of merged) {
    // Somebody may be reading it.
    if (inUse) continue;
    const what = 'was merged with others into a file that has all of them';
    report.finding({ kind: 'leftover', path, what, advice: 'nothing: the next start removes it' });
  }
  return files.filter(({ path }) => !merged.has(path));
}

/** The highest key of the files; -1 without any. */
function checkOverlaps({ report }: Patient, files: Whole[]): number {
  files.sort((a, b) => a.footer.firstKey - b.footer.firstKey);
  let highest: Whole | null = null;
  for (const file of files) {
    const { firstKey, lastKey } = file.footer;
    if (highest !== null && firstKey <= highest.footer.lastKey) {
      const end = Math.min(lastKey, highest.footer.lastKey);
      const what = `has keys ${firstKey} to ${end}, as has ${highest.path}`;
      const advice = 'compare them and move one away: answers would have these messages twice';
      report.finding({ kind: 'files-overlap', path: file.path, what, advice });
    }
    if (highest === null || lastKey > highest.footer.lastKey) highest = file;
  }
  return highest?.footer.lastKey ?? -1;
}

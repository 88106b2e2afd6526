/** One Parquet file: its footer, its rows, and whether its name tells the same. */
import { join } from 'node:path';
import { isCorrupt } from '../catalog/candidate.js';
import { type Footer, readFooter } from '../catalog/footer.js';
import { dateFolder, fileName, isServedName, parseFileName } from '../catalog/naming.js';
import { systemCode } from '../catalog/place.js';
import { textOf } from '../errors.js';
import { scanFile } from '../query/file-scan.js';
import { isSealedName } from '../seal/offered.js';
import type { FindingKind } from './finding.js';
import { type Item, type Patient, unlessRefused } from './folder.js';
import { isLocked } from './locked.js';

const RESTORE = 'put a copy of it back; without one, the next start sets it aside and answers show a gap';

/** Where a file was found. */
export interface Found {
  readonly item: Item;
  readonly stream: string;
  /** Name of the folder. */
  readonly day: string;
}

/** The footer, if the broker will serve the file; null: it will not, which is a finding, or the file is gone. */
export async function checkFile(patient: Patient, found: Found): Promise<Footer | null> {
  const { item, stream } = found;
  const { path, name } = item;
  const finding = (kind: FindingKind, what: string, advice: string) =>
    patient.report.finding({ kind, path, what, advice });
  if (!isServedName(name)) {
    finding('file-misnamed', 'has a name that the broker does not serve', 'rename it, or move it away');
    return null;
  }
  const footer = await footerOf(patient, path);
  if (footer === 'none') return null;
  if (footer === null || footer.stream !== stream) {
    const owner = footer === null ? 'was not written by the broker' : `is of stream ${footer.stream}`;
    finding('file-foreign', `${owner}, and is left alone`, 'move it where it belongs');
    return null;
  }
  checkName(patient, found, footer);
  const fault = await faultInRows(patient, path, footer);
  if (fault !== null) finding('file-corrupt', fault, RESTORE);
  return footer;
}

/** `'none'`: it cannot be read, which is a finding, or is gone. */
async function footerOf(patient: Patient, path: string): Promise<Footer | null | 'none'> {
  const { dataDir, files, keyring, report } = patient;
  const reading = readFooter(join(dataDir, path), files, keyring).then(
    (footer) => ({ footer }),
    (error: unknown) => {
      if (isLocked(patient, path, error)) return null;
      if (!isCorrupt(error)) throw error;
      const reason = textOf((error as Error).cause);
      report.finding({ kind: 'file-corrupt', path, what: `is no whole file: ${reason}`, advice: RESTORE });
      return null;
    },
  );
  const read = await unlessRefused(patient, path, reading);
  return read === null ? 'none' : read.footer;
}

function checkName({ report }: Patient, { item, day }: Found, { firstKey, lastKey }: Footer): void {
  const { name, path } = item;
  const label = parseFileName(name);
  if (label?.firstKey !== firstKey || label.lastKey !== lastKey) {
    const what = `has keys ${firstKey} to ${lastKey}, which its name does not tell`;
    const advice = `rename it to ${fileName(firstKey, lastKey, label?.seq ?? 0, isSealedName(name))}, or to another number behind _`;
    report.finding({ kind: 'file-misnamed', path, what, advice });
  }
  const right = dateFolder(firstKey);
  if (right === day) return;
  report.finding({
    kind: 'file-misnamed',
    path,
    what: `is of ${right}`,
    advice: `move it into the folder ${right}`,
  });
}

/** What is wrong with its rows, all of which are read; null: nothing. */
async function faultInRows(
  { dataDir, inUse, keyring }: Patient,
  path: string,
  footer: Footer,
): Promise<string | null> {
  const query = { path: join(dataDir, path), start: 0, end: Number.MAX_SAFE_INTEGER, topic: null };
  let rows = 0;
  let first = Number.NaN;
  let last = Number.NaN;
  let repeated: number | null = null;
  try {
    for await (const { keys } of scanFile(query, new AbortController().signal, keyring)) {
      for (const key of keys) {
        if (rows++ === 0) first = key;
        if (key === last) repeated = key;
        last = key;
      }
    }
  } catch (error) {
    if (inUse && systemCode(error) === 'ENOENT') return null;
    return `its rows cannot be read: ${textOf(error)}`;
  }
  if (repeated !== null) return `has more than one row with key ${repeated}`;
  if (rows !== footer.rows) return `has ${rows} rows, and its footer says ${footer.rows}`;
  if (first === footer.firstKey && last === footer.lastKey) return null;
  return `has keys ${first} to ${last}, and its footer says ${footer.firstKey} to ${footer.lastKey}`;
}

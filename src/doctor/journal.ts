/** What the journal of a stream would give at the next start. */
import { join } from 'node:path';
import { parseSegmentName } from '../catalog/naming.js';
import { BlockReader } from '../recorder/journal/block-reader.js';
import {
  isHeaderTorn,
  isSegment,
  SEGMENT_HEADER_BYTES,
  type SegmentBytes,
  segmentBytes,
} from '../recorder/journal/segment.js';
import { type Item, type Patient, unlessRefused } from './folder.js';
import { isLocked } from './locked.js';

const GAP = 'what else was in it stands in the gaps of answers';

/** `filed`: messages with keys up to this are in files. The last key that is in it; `filed`, if none is above. */
export async function checkJournal(
  patient: Patient,
  folder: string,
  segments: readonly Item[],
  filed: number,
): Promise<number> {
  const { dataDir, files, inUse, report } = patient;
  let last = filed;
  let fresh = 0;
  for (const { name, path } of segments) {
    const read = await unlessRefused(patient, path, files.readFile(join(dataDir, path)));
    if (read === null) continue;
    const opened = openedSegment(patient, path, read);
    if (opened === null) continue;
    // A copy, since a block's words have to lie at multiples of 4.
    const bytes = new Uint8Array(opened.bytes);
    const number = parseSegmentName(name)!;
    let torn = read.length;
    let rows = 0;
    if (!isHeaderTorn(name, read)) {
      if (!isSegment(bytes, number)) {
        const what = 'is no segment of the journal';
        const advice = `put a copy of it back; without one, the next start sets it aside, and ${GAP}`;
        report.finding({ kind: 'journal-corrupt', path, what, advice });
        continue;
      }
      const blocks = new BlockReader(bytes, SEGMENT_HEADER_BYTES, number);
      while (
        blocks.next(({ key }) => {
          rows++;
          if (key <= last) return;
          last = key;
          fresh++;
        })
      );
      torn = bytes.length - blocks.at + opened.rest;
    }
    if (opened.tampered !== null) {
      const what = `was changed by somebody: ${opened.tampered}`;
      const advice = `put a copy of it back; without one, the next start takes the ${rows} messages before, sets it aside, and ${GAP}`;
      report.finding({ kind: 'journal-corrupt', path, what, advice });
      continue;
    }
    // The one that is being written.
    if (torn === 0 || (inUse && path === segments.at(-1)?.path)) continue;
    const what = `its last ${torn} of ${read.length} bytes are no whole block, as a crash leaves them`;
    const advice = `nothing: the next start takes the ${rows} messages before, and ${GAP}`;
    report.finding({ kind: 'journal-torn', path, what, advice });
  }
  if (fresh > 0) {
    const what = `${fresh} messages are in no file yet${inUse ? '' : '; the next start puts them into one'}`;
    report.note({ path: folder, what });
  }
  return last;
}

/** null: its key is not here, which is a finding. */
function openedSegment(patient: Patient, path: string, stored: Buffer): SegmentBytes | null {
  try {
    return segmentBytes(path, stored, patient.keyring);
  } catch (error) {
    if (isLocked(patient, path, error)) return null;
    throw error;
  }
}

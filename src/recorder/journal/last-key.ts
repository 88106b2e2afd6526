import { join } from 'node:path';
import {
  isStreamName,
  JOURNAL_FOLDER,
  parseSegmentName,
  STREAMS_FOLDER,
  streamFolder,
} from '../../catalog/naming.js';
import { Keyring } from '../../seal/keyring.js';
import { BlockReader } from './block-reader.js';
import { isSegment, SEGMENT_HEADER_BYTES, segmentBytes } from './segment.js';

/** The used part of `node:fs/promises`. */
export interface JournalFiles {
  readdir(path: string): Promise<string[]>;
  readFile(path: string): Promise<Buffer>;
}

/**
 * The highest key in a journal below `dataDir`; 0 without any. Keys ascend, so that of a stream is in its last segment with rows.
 * `keyring`: for segments that are encrypted. Throws `KEY_MISSING` and `KEY_WRONG`.
 */
export async function lastJournalKey(
  dataDir: string,
  files: JournalFiles,
  keyring = Keyring.EMPTY,
): Promise<number> {
  const streams = (await listed(join(dataDir, STREAMS_FOLDER), files)).filter(isStreamName);
  let last = 0;
  for (const stream of streams) {
    const folder = join(dataDir, streamFolder(stream), JOURNAL_FOLDER);
    const names = (await listed(folder, files)).filter((name) => parseSegmentName(name) !== null);
    // Their numbers stand in front, and are equally long.
    for (const name of names.sort().reverse()) {
      const path = join(folder, name);
      const { bytes } = segmentBytes(path, await files.readFile(path), keyring);
      const key = lastKeyOf(bytes, parseSegmentName(name)!);
      last = Math.max(last, key);
      if (key > 0) break;
    }
  }
  return last;
}

function lastKeyOf(bytes: Uint8Array, number: number): number {
  if (!isSegment(bytes, number)) return 0;
  let last = 0;
  const reader = new BlockReader(bytes, SEGMENT_HEADER_BYTES, number);
  while (
    reader.next(({ key }) => {
      last = key;
    })
  );
  return last;
}

async function listed(folder: string, files: JournalFiles): Promise<string[]> {
  try {
    return await files.readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

import { join } from 'node:path';
import {
  isStreamName,
  JOURNAL_FOLDER,
  parseSegmentName,
  STREAMS_FOLDER,
  segmentName,
  streamFolder,
} from '../../catalog/naming.js';
import { BlockReader } from './block-reader.js';
import { isSegment, SEGMENT_HEADER_BYTES } from './segment.js';

/** The used part of `node:fs/promises`. */
export interface JournalFiles {
  readdir(path: string): Promise<string[]>;
  readFile(path: string): Promise<Uint8Array>;
}

/** The highest key in a journal below `dataDir`; 0 without any. Keys ascend, so that of a stream is in its last segment with rows. */
export async function lastJournalKey(dataDir: string, files: JournalFiles): Promise<number> {
  const streams = (await listed(join(dataDir, STREAMS_FOLDER), files)).filter(isStreamName);
  let last = 0;
  for (const stream of streams) {
    const folder = join(dataDir, streamFolder(stream), JOURNAL_FOLDER);
    const numbers = (await listed(folder, files)).map(parseSegmentName).filter((number) => number !== null);
    for (const number of numbers.sort((a, b) => b - a)) {
      const key = lastKeyOf(await files.readFile(join(folder, segmentName(number))), number);
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

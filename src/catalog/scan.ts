/** What lies in the data folder: the catalogue rebuilt from disk. */
import { join } from 'node:path';
import { MqttStreamError, textOf } from '../errors.js';
import { type Accepted, acceptCommitted, type Candidate } from './candidate.js';
import {
  CORRUPT_SUFFIX,
  isDateFolder,
  isStreamName,
  JOURNAL_FOLDER,
  parseFileName,
  parseSegmentName,
  STREAMS_FOLDER,
  streamFolder,
  TEMP_SUFFIX,
} from './naming.js';
import { type FolderItem, type Place, systemCode } from './place.js';

/** Footers read at the same time. */
const CONCURRENCY = 8;

/** What the footers say, and which files cannot be read; see `acceptCommitted`. */
export async function acceptAll(
  place: Place,
  candidates: readonly Candidate[],
): Promise<{ accepted: Accepted[]; dropped: Candidate[] }> {
  const accepted: Accepted[] = [];
  const dropped: Candidate[] = [];
  const waiting = candidates.values();
  const work = async () => {
    // All workers draw from the one iterator.
    for (const candidate of waiting) {
      const file = await acceptCommitted(place, candidate);
      if (file === 'dropped') dropped.push(candidate);
      else if (file !== null) accepted.push(file);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return { accepted, dropped };
}

/** The number in a file's name, also of one that is not served: it is not to be used again. */
export function seqOf(name: string): number {
  const suffix = [TEMP_SUFFIX, CORRUPT_SUFFIX].find((end) => name.endsWith(end)) ?? '';
  return parseFileName(name.slice(0, name.length - suffix.length))?.seq ?? 0;
}

/**
 * Every regular file of every stream's date folders, and its journal's segments, by folder and name. Links are not
 * followed. Throws `DATA_DIR_UNUSABLE` if a folder cannot be listed.
 */
export async function scan(place: Place): Promise<Map<string, readonly Candidate[]>> {
  const { log } = place;
  const streams = new Map<string, readonly Candidate[]>();
  for (const item of await read(place, STREAMS_FOLDER)) {
    const stream = item.name;
    if (!item.isDirectory() || !isStreamName(stream)) {
      log.warn({ folder: STREAMS_FOLDER, name: stream }, 'what is no folder of a stream is left alone');
      continue;
    }
    const candidates: Candidate[] = [];
    for (const day of await read(place, streamFolder(stream))) {
      const journal = day.name === JOURNAL_FOLDER;
      if (!day.isDirectory() || !(journal || isDateFolder(day.name))) continue;
      const folder = `${streamFolder(stream)}/${day.name}`;
      for (const file of await read(place, folder)) {
        if (journal && parseSegmentName(file.name) === null) continue;
        if (file.isFile()) candidates.push({ stream, folder, name: file.name });
        else log.warn({ stream, folder, name: file.name }, 'what is no regular file is left alone');
      }
    }
    if (candidates.length > 0) streams.set(stream, candidates);
  }
  return streams;
}

async function read({ dataDir, fs }: Place, folder: string): Promise<FolderItem[]> {
  try {
    const items = await fs.readdir(join(dataDir, folder), { withFileTypes: true });
    return items.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new MqttStreamError('DATA_DIR_UNUSABLE', [join(dataDir, folder), textOf(error)], { cause: error });
  }
}

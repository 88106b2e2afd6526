/** What lies in the data folder: the catalogue rebuilt from disk. */
import { join } from 'node:path';
import { MqttStreamError, textOf } from '../errors.js';
import { type Accepted, acceptCommitted, type Candidate } from './candidate.js';
import type { DroppedFile } from './entry.js';
import {
  CORRUPT_SUFFIX,
  isDateFolder,
  isStreamName,
  PARQUET_SUFFIX,
  parseFileName,
  STREAMS_FOLDER,
  streamFolder,
  TEMP_SUFFIX,
} from './naming.js';
import { type FolderItem, type Place, systemCode } from './place.js';
import { acceptTemporary } from './temporary.js';

/** Footers read at the same time. */
const CONCURRENCY = 8;

export interface Scanned {
  readonly accepted: readonly Accepted[];
  /** Those that cannot be read, as far as their names tell keys; also those that were set aside earlier. */
  readonly dropped: readonly DroppedFile[];
  /** The sequence numbers in all names, also of files that are not served: none is to be used again. */
  readonly seqs: readonly { readonly stream: string; readonly seq: number }[];
}

/** Sets corrupt files aside, recovers temporary ones. Throws `DATA_DIR_UNUSABLE` if a folder cannot be listed. */
export async function scan(place: Place): Promise<Scanned> {
  const candidates = await list(place);
  const files = candidates.filter(({ name }) => name.endsWith(PARQUET_SUFFIX));
  const { accepted, dropped } = await acceptAll(place, files);
  for (const candidate of candidates) {
    const { name } = candidate;
    if (name.endsWith(PARQUET_SUFFIX + CORRUPT_SUFFIX))
      dropped.push({ ...candidate, name: name.slice(0, -CORRUPT_SUFFIX.length) });
  }
  // One after the other, after all committed files: whether a temporary file is needed depends on the rest.
  for (const candidate of candidates) {
    if (!candidate.name.endsWith(PARQUET_SUFFIX + TEMP_SUFFIX)) continue;
    const entries = accepted.map(({ entry }) => entry).filter(({ stream }) => stream === candidate.stream);
    const recovered = await acceptTemporary(place, candidate, entries);
    if (recovered !== null) accepted.push(recovered);
  }
  const seqs = candidates.map(({ stream, name }) => ({ stream, seq: seqOf(name) }));
  return { accepted, dropped: dropped.flatMap(droppedFile), seqs };
}

function droppedFile({ stream, name }: Candidate): DroppedFile[] {
  const label = parseFileName(name);
  if (label === null) return [];
  return [{ stream, firstKey: label.firstKey, lastKey: label.lastKey, rows: null }];
}

async function acceptAll(
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

function seqOf(name: string): number {
  const suffix = [TEMP_SUFFIX, CORRUPT_SUFFIX].find((end) => name.endsWith(end)) ?? '';
  return parseFileName(name.slice(0, name.length - suffix.length))?.seq ?? 0;
}

/** Every regular file of every stream's date folders, by folder and name. Links are not followed. */
async function list(place: Place): Promise<Candidate[]> {
  const { log } = place;
  const candidates: Candidate[] = [];
  for (const item of await read(place, STREAMS_FOLDER)) {
    const stream = item.name;
    if (!item.isDirectory() || !isStreamName(stream)) {
      log.warn({ folder: STREAMS_FOLDER, name: stream }, 'what is no folder of a stream is left alone');
      continue;
    }
    for (const day of await read(place, streamFolder(stream))) {
      if (!day.isDirectory() || !isDateFolder(day.name)) continue;
      const folder = `${streamFolder(stream)}/${day.name}`;
      for (const file of await read(place, folder)) {
        if (file.isFile()) candidates.push({ stream, folder, name: file.name });
        else log.warn({ stream, folder, name: file.name }, 'what is no regular file is left alone');
      }
    }
  }
  return candidates;
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

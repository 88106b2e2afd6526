/** A file found on disk that may be one of the catalogue's. */
import { join } from 'node:path';
import { MqttStreamError, textOf } from '../errors.js';
import type { ClockRecord, FileEntry } from './entry.js';
import { type Footer, readFooter } from './footer.js';
import { isServedName, parseFileName } from './naming.js';
import type { Place } from './place.js';
import { setAside } from './quarantine.js';

export interface Candidate {
  readonly stream: string;
  /** Relative to the data folder. */
  readonly folder: string;
  readonly name: string;
}

export interface Accepted {
  readonly entry: FileEntry;
  readonly clock: ClockRecord | null;
  /** Names of the files that it was made of. */
  readonly sources: readonly string[];
}

export function accepted({ stream, folder, name }: Candidate, footer: Footer): Accepted {
  const { firstKey, lastKey, rows, bytes, rawBytes, bootId, clock, sources } = footer;
  const seq = parseFileName(name)?.seq ?? 0;
  const path = `${folder}/${name}`;
  return {
    entry: { stream, name, path, firstKey, lastKey, seq, rows, bytes, rawBytes, sha256: null },
    clock: clock === null ? null : { stream, bootId, firstKey, lastKey, clock },
    sources,
  };
}

/** Whether the contents of a file are at fault, not the disk or the rights. */
export function isCorrupt(thrown: unknown): boolean {
  return thrown instanceof MqttStreamError && thrown.code === 'FILE_CORRUPT';
}

/**
 * Takes a committed file in, or says in the log why not; `'dropped'`: it is one, but cannot be read. Never throws for
 * what the file is.
 */
export async function acceptCommitted(
  place: Place,
  candidate: Candidate,
): Promise<Accepted | 'dropped' | null> {
  const { stream, folder, name } = candidate;
  const { log } = place;
  const path = `${folder}/${name}`;
  if (!isServedName(name)) {
    log.warn({ stream, file: path }, 'a file with an unusable name is left alone');
    return null;
  }
  let footer: Footer | null;
  try {
    footer = await readFooter(join(place.dataDir, path), place.fs, place.keyring);
  } catch (error) {
    // Only contents are a reason to set a file aside: a failing disk may be readable after the next start.
    if (isCorrupt(error)) await setAside(place, path, textOf(error));
    else log.error({ stream, file: path, error: textOf(error) }, 'a file cannot be opened and is not served');
    return 'dropped';
  }
  if (footer === null || footer.stream !== stream) {
    log.warn(
      { stream, file: path, of: footer?.stream ?? null },
      'a file that is not of this stream is left alone',
    );
    return null;
  }
  const { firstKey, lastKey } = footer;
  const label = parseFileName(name);
  if (label?.firstKey !== firstKey || label.lastKey !== lastKey) {
    log.warn(
      { stream, file: path, firstKey, lastKey },
      "a file's name does not tell its keys; its footer does",
    );
  }
  return accepted(candidate, footer);
}

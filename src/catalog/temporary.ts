/** Temporary files of an earlier run: whole and only not renamed any more, or nothing. */
import { join } from 'node:path';
import { textOf } from '../errors.js';
import { type Accepted, accepted, type Candidate, isCorrupt } from './candidate.js';
import type { FileEntry } from './entry.js';
import { type Footer, readFooter } from './footer.js';
import { parseFileName, TEMP_SUFFIX } from './naming.js';
import { type Place, systemCode } from './place.js';

/**
 * Commits the temporary file if it is whole and none of the stream's `committed` files has keys of its range;
 * removes it otherwise. Both are logged, as is a failure, after which the file stays for the next start.
 */
export async function acceptTemporary(
  place: Place,
  candidate: Candidate,
  committed: readonly FileEntry[],
): Promise<Accepted | null> {
  const { dataDir, fs, log } = place;
  const folder = join(dataDir, candidate.folder);
  const temporary = join(folder, candidate.name);
  const fields = { stream: candidate.stream, file: `${candidate.folder}/${candidate.name}` };
  const target = { ...candidate, name: candidate.name.slice(0, -TEMP_SUFFIX.length) };
  try {
    const found = await inspect(place, temporary, target, committed);
    if ('refusal' in found) {
      await fs.unlink(temporary);
      log.warn({ ...fields, reason: found.refusal }, 'a temporary file was removed');
      return null;
    }
    if (await exists(place, join(folder, target.name))) {
      log.error(fields, 'a temporary file stays: its name is taken by a file that is not served');
      return null;
    }
    await sync(place, temporary);
    await fs.rename(temporary, join(folder, target.name));
    log.info({ ...fields, rows: found.footer.rows }, 'a temporary file was whole and is committed now');
    // From the rename on it is committed: without this sync a power cut only makes it temporary again.
    await sync(place, folder).catch((error: unknown) => {
      log.error({ ...fields, error: textOf(error) }, 'the folder of a recovered file could not be synced');
    });
    return accepted(target, found.footer);
  } catch (error) {
    log.error({ ...fields, error: textOf(error) }, 'a temporary file could not be recovered');
    return null;
  }
}

type Inspected = { readonly footer: Footer } | { readonly refusal: string };

async function inspect(
  place: Place,
  temporary: string,
  { stream, name }: Candidate,
  committed: readonly FileEntry[],
): Promise<Inspected> {
  if (parseFileName(name) === null) return { refusal: 'its name tells no keys' };
  let footer: Footer | null;
  try {
    footer = await readFooter(temporary, place.fs, place.keyring);
  } catch (error) {
    if (isCorrupt(error)) return { refusal: textOf(error) };
    throw error;
  }
  if (footer === null || footer.stream !== stream) return { refusal: 'it is not of this stream' };
  const { firstKey, lastKey } = footer;
  const twin = committed.find((file) => file.firstKey <= lastKey && file.lastKey >= firstKey);
  return twin === undefined ? { footer } : { refusal: `its keys are in ${twin.name}` };
}

async function exists({ fs }: Place, path: string): Promise<boolean> {
  try {
    const handle = await fs.open(path, 'r');
    await handle.close();
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function sync({ fs }: Place, path: string): Promise<void> {
  const handle = await fs.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

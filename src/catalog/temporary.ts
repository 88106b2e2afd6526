/** Files that an earlier run has not finished. */
import { join } from 'node:path';
import { textOf } from '../errors.js';
import type { Candidate } from './candidate.js';
import type { Place } from './place.js';

/**
 * Removes one, even if it ends as a whole file does: a power cut may have left holes in it that nothing tells of. What it was to
 * hold is in the journal, or was promised to nobody. Logged, as is a failure, after which it stays for the next start.
 */
export async function removeTemporary(place: Place, { stream, folder, name }: Candidate): Promise<void> {
  const { dataDir, fs, log } = place;
  const file = `${folder}/${name}`;
  try {
    await fs.unlink(join(dataDir, file));
    log.info({ stream, file }, 'a file that was not finished was removed');
  } catch (error) {
    log.error({ stream, file, error: textOf(error) }, 'a file that was not finished could not be removed');
  }
}

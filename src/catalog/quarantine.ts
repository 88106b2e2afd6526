/** Files that cannot be read are set aside: kept for a human, out of sight of every reader. */
import { join } from 'node:path';
import { textOf } from '../errors.js';
import { CORRUPT_SUFFIX } from './naming.js';
import type { Place } from './place.js';

/** Renames the file to `<path>.corrupt`. A failure is logged: the file is not served either way. */
export async function setAside({ dataDir, fs, log }: Place, path: string, reason: string): Promise<void> {
  const from = join(dataDir, path);
  try {
    await fs.rename(from, from + CORRUPT_SUFFIX);
    log.warn({ file: path, kept: path + CORRUPT_SUFFIX, reason }, 'a corrupt file was set aside');
  } catch (error) {
    log.error({ file: path, reason, error: textOf(error) }, 'a corrupt file could not be set aside');
  }
}

/** Which files are over a stream's limits. */
import type { FileEntry } from './entry.js';

/** Limits of a stream; 0 is none. */
export interface Retention {
  readonly maxBytes: number;
  readonly maxFiles: number;
  /** Milliseconds between a file's last key and now. */
  readonly maxAge: number;
}

/**
 * The files to delete out of `files` (in order, `bytes` in all), oldest first. `now` is a key in microseconds.
 * The newest file is never over `maxBytes` or `maxFiles`: one larger than the limit would be lost at once.
 */
export function expired(
  files: readonly FileEntry[],
  bytes: number,
  limits: Retention,
  now: number,
): FileEntry[] {
  const { maxBytes, maxFiles } = limits;
  const oldestKey = limits.maxAge > 0 ? now - limits.maxAge * 1000 : Number.NEGATIVE_INFINITY;
  const aged = files.filter((file) => file.lastKey < oldestKey);
  let count = files.length - aged.length;
  let held = bytes - aged.reduce((sum, file) => sum + file.bytes, 0);
  return files.filter((file) => {
    if (file.lastKey < oldestKey) return true;
    const over = (maxBytes > 0 && held > maxBytes) || (maxFiles > 0 && count > maxFiles);
    if (!over || count === 1) return false;
    count -= 1;
    held -= file.bytes;
    return true;
  });
}

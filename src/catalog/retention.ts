/** Which files are over a stream's limits. */
import type { FileEntry } from './entry.js';

/** Limits of a stream; 0 is none. */
export interface Retention {
  readonly maxBytes: number;
  readonly maxFiles: number;
  /** Of a file's last key, milliseconds. */
  readonly maxAge: number;
}

/**
 * The files to delete out of `files` (in order, `bytes` in all), oldest first. `age`: how long ago a key was given,
 * microseconds. The newest file is never over `maxBytes` or `maxFiles`: one larger than the limit would be lost at once.
 */
export function expired(
  files: readonly FileEntry[],
  bytes: number,
  limits: Retention,
  age: (key: number) => number,
): FileEntry[] {
  const { maxAge, maxBytes, maxFiles } = limits;
  const old = new Set(maxAge > 0 ? files.filter(({ lastKey }) => age(lastKey) > maxAge * 1000) : []);
  let count = files.length - old.size;
  let held = bytes - [...old].reduce((sum, file) => sum + file.bytes, 0);
  return files.filter((file) => {
    if (old.has(file)) return true;
    const over = (maxBytes > 0 && held > maxBytes) || (maxFiles > 0 && count > maxFiles);
    if (!over || count === 1) return false;
    count -= 1;
    held -= file.bytes;
    return true;
  });
}

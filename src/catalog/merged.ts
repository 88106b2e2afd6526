/** Files that are made of others, and which of both counts when a crash has left both. */
import { posix } from 'node:path';
import type { Accepted } from './candidate.js';
import type { FileEntry } from './entry.js';

/**
 * The files of `accepted` whose messages are in another one of them as well, because that was made of them and they
 * were not deleted yet. What a file says of itself costs no file that is not within its keys and beside it.
 */
export function replaced(accepted: readonly Accepted[]): FileEntry[] {
  const made = accepted.filter(({ sources }) => sources.length > 0);
  const byPath = new Map(accepted.map(({ entry }) => [entry.path, entry]));
  const gone = new Set<FileEntry>();
  for (const { entry: whole, sources } of made) {
    const folder = posix.dirname(whole.path);
    for (const name of sources) {
      const source = byPath.get(`${folder}/${name}`);
      if (source === undefined || source === whole || source.seq > whole.seq) continue;
      if (source.firstKey >= whole.firstKey && source.lastKey <= whole.lastKey) gone.add(source);
    }
  }
  return [...gone];
}

/** What an earlier process did not finish, or could not read. */
import { CORRUPT_SUFFIX, dataNameIn, TEMP_SUFFIX } from '../catalog/naming.js';
import type { Item, Patient } from './folder.js';

/** A lock that was being taken over. */
const LOCK_REST = /^lock\.json\..+$/;

export function checkLeftovers({ inUse, report }: Patient, items: readonly Item[]): void {
  for (const { name, path, stats } of items) {
    if (name.endsWith(CORRUPT_SUFFIX)) {
      const original = path.slice(0, -CORRUPT_SUFFIX.length);
      const what = `${stats.size} bytes that could not be read were set aside here`;
      const advice = `put a copy back as ${original}, and then, or if there is none, remove it`;
      report.finding({ kind: 'set-aside', path, what, advice });
    } else if (name.endsWith(TEMP_SUFFIX) || (path === name && LOCK_REST.test(name))) {
      // It may be being written.
      if (inUse) continue;
      const advice =
        dataNameIn(name, TEMP_SUFFIX) !== null
          ? 'nothing: the next start makes a file of it if it is whole and needed, or removes it'
          : 'remove it';
      report.finding({ kind: 'leftover', path, what: 'was not finished by an earlier process', advice });
    }
  }
}

import type { Stream } from '../../src/exchange/stream.js';
import { DiskPolicy } from '../../src/streams/disk-policy.js';
import type { Opened } from './opening.js';
import type { Surroundings } from './setup.js';

/** What becomes of the stream on a full disk; each file that goes is written down. */
export function diskPolicy(
  { disk, gapLedger, ledger, onDiskFull }: Surroundings,
  { catalog, clock, complaints, gapLogs }: Opened,
  stream: Stream,
  retry: () => void,
): DiskPolicy {
  const { name } = stream;
  let saved = false;
  return new DiskPolicy({
    stream,
    policy: onDiskFull,
    oldest: () => catalog.oldest(name),
    delete: async (file) => {
      const listed = catalog.find(name, file.name) !== undefined;
      // Where there is no room for its gap either, nobody may know of it after a power cut.
      if (!disk.dead && listed && saved) ledger.yieldFile(file);
      else if (!disk.dead && listed) ledger.retire(file);
      const deleted = await catalog.delete(file, clock.now());
      if (!deleted) gapLedger.withdraw(file.firstKey, 'deleted');
      return deleted;
    },
    gapsSaved: async () => {
      saved = await gapLogs.saved(name);
      return saved;
    },
    retry,
    released: () => {},
    onState: () => {},
    log: complaints.log,
  });
}

import { Catalog } from '../../src/catalog/catalog.js';
import { type ClockOpening, ClockStore } from '../../src/clock/store.js';
import { lastJournalKey } from '../../src/recorder/journal/last-key.js';
import { GapLogs } from '../../src/streams/gap-logs.js';
import { Complaints } from './complaints.js';
import { journalFiles, promises } from './promises.js';
import { DATA_DIR, type Surroundings } from './setup.js';
import { Timers } from './timers.js';

/** What a process has before its stream begins. */
export interface Opened extends ClockOpening {
  readonly catalog: Catalog;
  readonly gapLogs: GapLogs;
  readonly complaints: Complaints;
  readonly timers: Timers;
}

/** null: the process ended before it was ready. */
export async function open({ disk, failing, keyring, time }: Surroundings): Promise<Opened | null> {
  const files = promises(disk);
  const timers = new Timers(time);
  const complaints = new Complaints(failing, () => !disk.dead);
  const { log } = complaints;
  try {
    const catalog = await Catalog.open({ dataDir: DATA_DIR, fs: files, log, keyring });
    const known = {
      maxKey: catalog.maxKey(),
      journalKey: () => lastJournalKey(DATA_DIR, journalFiles(disk), keyring),
      corrections: () => [],
    };
    const opening = await ClockStore.open(DATA_DIR, time, files, known, log);
    const { afterCrash, clock } = opening;
    const kept = { dataDir: DATA_DIR, catalog, files, after: timers.after, log };
    const gapLogs = await GapLogs.open({ ...kept, afterCrash, lastKeyBefore: clock.last });
    return disk.dead ? null : { ...opening, catalog, gapLogs, complaints, timers };
  } catch (error) {
    if (disk.dead || failing) return null;
    throw error;
  } finally {
    complaints.check();
  }
}

/** The state of the clock, and the clock of the machine. */
import { join } from 'node:path';
import { wallOfKey } from '../clock/correction.js';
import { parseState } from '../clock/store.js';
import { type Patient, unlessRefused } from './folder.js';

export const CLOCK_FILE = 'clock.json';

/** Between wall time and the last message: less may be a time zone of a wrongly set clock, or drift. Microseconds. */
const BEHIND = 60_000_000;

/** `present`: there is a file. `lastKey`: of all messages, 0 without any. `now`: wall time, microseconds. */
export async function checkClock(
  patient: Patient,
  present: boolean,
  lastKey: number,
  now: number,
): Promise<void> {
  const { dataDir, files, inUse, report } = patient;
  const path = CLOCK_FILE;
  if (!present) {
    const what = 'is not there; the next start goes on behind the last key of all files and journals';
    if (lastKey > 0) report.note({ path, what });
    return;
  }
  const bytes = await unlessRefused(patient, path, files.readFile(join(dataDir, path)));
  if (bytes === null) return;
  const text = Buffer.from(bytes).toString('utf8');
  const state = parseState(text, path, { warn: () => {} });
  if (state === null) {
    const what = 'is no state of a clock';
    const advice =
      'nothing: the next start goes on behind the last key of all files and journals, and takes the corrections of wall time from files';
    report.finding({ kind: 'clock-corrupt', path, what, advice });
    return;
  }
  if (!state.clean && !inUse) {
    report.note({
      path,
      what: 'the last process ended without a stop; the next start looks for what that took',
    });
  }
  const last = wallOfKey(state.corrections, lastKey);
  if (lastKey === 0 || last - now <= BEHIND) return;
  const what = `the last message is of ${iso(last)}, and the clock of this machine says ${iso(now)}`;
  const advice =
    'set the clock; until then new messages have keys behind the last one, and wall times as the clock has them';
  report.finding({ kind: 'clock-off', path, what, advice });
}

function iso(micros: number): string {
  return new Date(Math.floor(micros / 1000)).toISOString();
}

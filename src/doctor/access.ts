/** Whom the folder lets in, and how much room there is. */
import type { Item, Patient } from './folder.js';

/** Of group and others. */
const OTHERS = 0o077;
/** A file in the making and its journal, twice. */
const LEAST_BYTES = 256 * 1024 * 1024;

/** One finding for all that have the same fault: a copy of a folder has it everywhere. */
export function checkAccess({ dataDir, report }: Patient, folder: Item, items: readonly Item[]): void {
  const all = [folder, ...items];
  const open = all.filter(({ stats }) => (stats.isFile() || stats.isDirectory()) && stats.mode & OTHERS);
  if (open.length > 0) {
    const [{ path, stats }] = open as [Item];
    const mode = (stats.mode & 0o777).toString(8);
    const what = `other users have access (mode ${mode})${others(open.length - 1)}`;
    report.finding({ kind: 'access', path, what, advice: `chmod -R go= ${dataDir}` });
  }
  const { uid } = folder.stats;
  const strangers = all.filter(({ stats }) => stats.uid !== uid);
  if (strangers.length > 0) {
    const [{ path, stats }] = strangers as [Item];
    const what = `belongs to user ${stats.uid}, and the folder to ${uid}${others(strangers.length - 1)}`;
    const advice = `chown -R ${uid} ${dataDir}, if that is who runs the broker`;
    report.finding({ kind: 'access', path, what, advice });
  }
}

export async function checkSpace({ dataDir, files, report }: Patient): Promise<void> {
  const { bavail, bsize } = await files.statfs(dataDir);
  const mebibytes = Math.floor((bavail * bsize) / 2 ** 20);
  report.note({ path: '.', what: `${mebibytes} MiB are free` });
  if (bavail * bsize >= LEAST_BYTES) return;
  const what = `only ${mebibytes} MiB are free, and files are made with up to 64 MiB of messages at once`;
  report.finding({
    kind: 'space',
    path: '.',
    what,
    advice: 'make room, or lower retention.maxBytes of streams',
  });
}

function others(count: number): string {
  return count === 0 ? '' : `, and so it is with ${count} more`;
}

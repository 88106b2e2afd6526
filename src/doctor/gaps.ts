/** The record of what a stream is missing. */
import { join } from 'node:path';
import { readGapRecord } from '../exchange/gap-record.js';
import type { Gap } from '../exchange/gaps.js';
import { type Item, type Patient, unlessRefused } from './folder.js';

export async function checkGaps(patient: Patient, { path }: Item): Promise<void> {
  const { dataDir, files, inUse, report } = patient;
  const bytes = await unlessRefused(patient, path, files.readFile(join(dataDir, path)));
  if (bytes === null) return;
  const { damaged, gaps, torn } = readGapRecord(Buffer.from(bytes).toString('utf8'));
  if (damaged > 0) {
    const what = `${damaged} of its lines are damaged`;
    const advice =
      'put a copy of it back; without one, the next start keeps a copy and begins anew, and a gap says that others are not known';
    report.finding({ kind: 'gaps-corrupt', path, what, advice });
  }
  if (torn && !inUse) {
    const advice = 'nothing: after a crash the next start has a gap for what it may have said';
    report.finding({
      kind: 'gaps-torn',
      path,
      what: 'its end is no whole line, as a crash leaves it',
      advice,
    });
  }
  if (gaps.length > 0) report.note({ path, what: summary(gaps) });
}

/** `3 gaps: 12 messages dropped; crash, not known how many` */
function summary(gaps: readonly Gap[]): string {
  const counts = new Map<string, number | null>();
  for (const { messages, reason } of gaps) {
    const before = counts.get(reason);
    counts.set(reason, messages === null || before === null ? null : (before ?? 0) + messages);
  }
  const parts = [...counts].map(([reason, messages]) =>
    messages === null ? `${reason}, not known how many messages` : `${reason}, ${messages} messages`,
  );
  return `${gaps.length} gap${gaps.length === 1 ? '' : 's'}: ${parts.join('; ')}`;
}

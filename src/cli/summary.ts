import type { Result } from '../query/result.js';
import { countText, ofThem } from './quantity-text.js';
import type { WallTime } from './wall-time.js';

interface ShownGap {
  readonly start: number;
  readonly end: number;
  readonly messages: number | null;
  readonly reason: string;
}

/** What came and what is missing, for standard error. */
export function summaryLines(result: Result, wall: WallTime): string[] {
  const { messages, files = [] } = result;
  const shown = (key: number) => `${key} (${wall(key)})`;
  const from =
    messages?.firstKey == null ? '' : `, keys ${shown(messages.firstKey)} to ${shown(messages.lastKey!)}`;
  const listed = files.length === 0 ? '' : `; ${ofThem(files.length, 'file')} besides`;
  return [`${ofThem(messages?.count ?? 0, 'message')}${from}${listed}`, ...missingLines(result, wall)];
}

/** What is not there, and what is not there yet. */
export function missingLines({ gaps = [], loading }: Result, wall: WallTime): string[] {
  const lines = (gaps as readonly ShownGap[]).map(({ start, end, messages, reason }) => {
    const count = messages === null ? 'messages' : ofThem(messages, 'message');
    return `gap: ${count} from ${start} (${wall(start)}) to ${end} (${wall(end)}): ${reason}`;
  });
  if (loading !== undefined) {
    lines.push(`not looked at yet after the start: ${ofThem(loading.files, 'file')}; ask again later`);
  }
  return lines;
}

export function messagesSoFar(count: number): string {
  return `${countText(count)} messages`;
}

import type { Result } from '../query/result.js';
import { countText, ofThem } from './quantity-text.js';

interface ShownGap {
  readonly start: number;
  readonly end: number;
  readonly messages: number | null;
  readonly reason: string;
}

/** What came and what is missing, for standard error. */
export function summaryLines(result: Result): string[] {
  const { messages, files = [] } = result;
  const from = messages?.firstKey == null ? '' : `, keys ${messages.firstKey} to ${messages.lastKey}`;
  const listed = files.length === 0 ? '' : `; ${ofThem(files.length, 'file')} besides`;
  return [`${ofThem(messages?.count ?? 0, 'message')}${from}${listed}`, ...missingLines(result)];
}

/** What is not there, and what is not there yet. */
export function missingLines({ gaps = [], loading }: Result): string[] {
  const lines = (gaps as readonly ShownGap[]).map(({ start, end, messages, reason }) => {
    const count = messages === null ? 'messages' : ofThem(messages, 'message');
    return `gap: ${count} from ${start} to ${end}: ${reason}`;
  });
  if (loading !== undefined) {
    lines.push(`not looked at yet after the start: ${ofThem(loading.files, 'file')}; ask again later`);
  }
  return lines;
}

export function messagesSoFar(count: number): string {
  return `${countText(count)} messages`;
}

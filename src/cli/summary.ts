import type { Result } from '../query/requests.js';
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
  return [`${ofThem(messages?.count ?? 0, 'message')}${from}${listed}`, ...gapLines(result)];
}

export function gapLines({ gaps = [] }: Result): string[] {
  return (gaps as readonly ShownGap[]).map(({ start, end, messages, reason }) => {
    const count = messages === null ? 'messages' : ofThem(messages, 'message');
    return `gap: ${count} from ${start} to ${end}: ${reason}`;
  });
}

export function messagesSoFar(count: number): string {
  return `${countText(count)} messages`;
}

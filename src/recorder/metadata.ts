import type { RecorderContext } from './context.js';
import type { FileRows } from './file.js';

/** The file's key-value metadata, all text. */
export function fileMetadata(context: RecorderContext, stream: string, label: FileRows): Map<string, string> {
  const { firstKey, lastKey, rows } = label;
  return new Map([
    ['mqtt-stream.stream', stream],
    ['mqtt-stream.firstKey', String(firstKey)],
    ['mqtt-stream.lastKey', String(lastKey)],
    ['mqtt-stream.rows', String(rows)],
    ['mqtt-stream.bootId', context.bootId],
    ['mqtt-stream.clock', context.timeline.record(firstKey, lastKey)],
    ['mqtt-stream.version', context.version],
  ]);
}

import type { FileRows } from './writer.js';

/** Where a file comes from. */
export interface Origin {
  readonly stream: string;
  readonly bootId: string;
  /** JSON text; see `Timeline`. */
  readonly clock: string;
  readonly version: string;
}

/** The file's key-value metadata, all text. */
export function fileMetadata(origin: Origin, { firstKey, lastKey, rows }: FileRows): Map<string, string> {
  return new Map([
    ['mqtt-stream.stream', origin.stream],
    ['mqtt-stream.firstKey', String(firstKey)],
    ['mqtt-stream.lastKey', String(lastKey)],
    ['mqtt-stream.rows', String(rows)],
    ['mqtt-stream.bootId', origin.bootId],
    ['mqtt-stream.clock', origin.clock],
    ['mqtt-stream.version', origin.version],
  ]);
}

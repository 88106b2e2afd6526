import { columns } from './columns.js';
import { bytesText, ofThem } from './quantity-text.js';
import type { WallTime } from './wall-time.js';

/** A file in a result. */
export interface ListedFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly rows: number;
  readonly firstKey: number;
  readonly lastKey: number;
}

/** One line a file, in columns: with the wall time of its first and its last message. */
export function listedFiles(files: readonly ListedFile[], wall: WallTime): string[] {
  return columns(
    files.map(({ name, rows, bytes, sha256, firstKey, lastKey }) => [
      name,
      wall(firstKey),
      wall(lastKey),
      ofThem(rows, 'row'),
      bytesText(bytes),
      sha256,
    ]),
  );
}

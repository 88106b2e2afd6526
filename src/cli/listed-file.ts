import { columns } from './columns.js';
import { bytesText, ofThem } from './quantity-text.js';

/** A file in a result. */
export interface ListedFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly rows: number;
  readonly firstKey: number;
  readonly lastKey: number;
}

/** One line a file, in columns. */
export function listedFiles(files: readonly ListedFile[]): string[] {
  return columns(
    files.map(({ name, rows, bytes, sha256 }) => [name, ofThem(rows, 'row'), bytesText(bytes), sha256]),
  );
}

/** A committed file, as the catalogue lists it. A plain object. */
export interface FileEntry {
  readonly stream: string;
  readonly name: string;
  /** Relative to the data folder, with '/'. */
  readonly path: string;
  /** Microseconds since the epoch, inclusive. */
  readonly firstKey: number;
  /** Microseconds since the epoch, inclusive. */
  readonly lastKey: number;
  /** Number of the file within its stream; 0 if its name does not tell. */
  readonly seq: number;
  readonly rows: number;
  /** On the disk. */
  readonly bytes: number;
  /** Of its columns without compression, about: what it costs to read or write it as a whole. */
  readonly rawBytes: number;
  /** Of what is sent of it, lower-case hex; `null` until somebody computed it. Set by the catalogue alone. */
  sha256: string | null;
}

/** A file that was committed and is not served: it cannot be read. */
export type DroppedFile = Pick<FileEntry, 'stream' | 'firstKey' | 'lastKey'> & {
  /** null: not known. */
  readonly rows: number | null;
};

/** Keys from `start` to `end`, both inclusive. One with `start > end` holds none. */
export interface KeyRange {
  readonly start: number;
  readonly end: number;
}

/** What a file says of the clock that made its keys: the recorder's `.clock` metadata, unchecked. */
export interface ClockRecord {
  readonly stream: string;
  readonly bootId: string;
  readonly firstKey: number;
  readonly lastKey: number;
  readonly clock: Readonly<Record<string, unknown>>;
}

/** The one order of files: by first key, then by sequence; the path only decides between copies. */
export function compareEntries(a: FileEntry, b: FileEntry): number {
  return a.firstKey - b.firstKey || a.seq - b.seq || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}

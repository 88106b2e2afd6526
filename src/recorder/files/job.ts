import type { BatchColumns } from '../batch.js';
import type { Compression } from './parquet.js';
import type { CommittedFile, FileRows } from './writer.js';

/** What a file is made of. Its columns are shared memory, and stay as they are until the outcome is there. */
export interface FileJob {
  readonly stream: string;
  readonly label: FileRows;
  readonly columns: BatchColumns;
  readonly compression: Compression;
  readonly encrypted: boolean;
  /** JSON text; see `Timeline`. */
  readonly clock: string;
}

export type FileOutcome =
  | { readonly file: CommittedFile }
  /** No such file is visible, or the next attempt replaces it. `full`: for lack of room. */
  | { readonly error: string; readonly full: boolean };

export interface PendingFile {
  /** null: there is none yet. */
  readonly outcome: FileOutcome | null;
}

/** Makes files, one after another, while those who begin them do other things. */
export interface Files {
  begin(job: FileJob): PendingFile;
  /** Takes in the outcomes of now. */
  collect(): void;
  /** From now on the reserve of the disk may be used. */
  openReserve(): void;
}

/** What the broker's thread and the one that merges files say to each other. */
import type { FileEntry } from '../catalog/entry.js';
import type { Compression } from '../recorder/files/parquet.js';
import type { CommittedFile } from '../recorder/files/writer.js';
import type { RecorderModules } from '../recorder/protocol.js';
import type { NamedKey } from '../seal/keyring.js';

/** What the thread is started with. */
export interface MergeStart {
  readonly dataDir: string;
  /** Of the program. */
  readonly version: string;
  readonly nice: number;
  /** Bytes of the disk that are left free. */
  readonly reserve: number;
  /** For files that are encrypted. */
  readonly keys: readonly NamedKey[];
  /** Whether encrypted files are sent decrypted. */
  readonly sentOpen: boolean;
  readonly modules: RecorderModules;
}

/** One at a time. */
export interface MergeJob {
  readonly stream: string;
  readonly compression: Compression;
  /** Whether the file is to be encrypted, even if none of those was. */
  readonly encrypted: boolean;
  /** Of the file to be made, at most; of that less is read. */
  readonly rawBytes: number;
  /** In order; not overlapping. */
  readonly files: readonly FileEntry[];
}

export type MergeReport =
  /** The first `count` of the files are one, which is whole, on the disk and has its name. */
  | { readonly kind: 'merged'; readonly file: CommittedFile; readonly count: number }
  /** One of the files is not to be merged: nothing was written. */
  | { readonly kind: 'unfit'; readonly path: string; readonly reason: string }
  /** What is visible nobody was told of, and it is to be removed; it may succeed later. */
  | { readonly kind: 'failed'; readonly error: string };

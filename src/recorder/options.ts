import type { NamedKey } from '../seal/keyring.js';
import type { CommittedFile } from './files/writer.js';
import type { FlushInfo, RecorderModules, Restored, StreamCount, Task } from './protocol.js';
import type { Correction } from './timeline.js';

/** A pino logger fits. */
export interface RecorderLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface RecorderOptions {
  readonly dataDir: string;
  readonly bootId: string;
  /** Keys are monotonic time plus this; microseconds. */
  readonly clockBase: number;
  readonly corrections: readonly Correction[];
  /** Of the program, for the files' metadata. */
  readonly version?: string;
  /** Of the thread that makes files. */
  readonly nice?: number;
  /** Bytes of the disk that are left free; 0 if left out. */
  readonly reserve?: number;
  readonly log: RecorderLog;
  /** For streams that are encrypted. */
  readonly keys?: readonly NamedKey[];
  /** Whether encrypted files are sent decrypted: what checksums are of. */
  readonly sentOpen?: boolean;
  readonly modules?: RecorderModules;
  /** A file is whole. The handler calls `commit(upTo)` of the stream's ring before it returns. */
  onCommit(stream: string, file: CommittedFile, upTo: number, info: FlushInfo): void;
  /** All messages before sequence `upTo` are as safe as their stream promises. */
  onSafe?(stream: string, upTo: number): void;
  /** A segment of an earlier process's journal was read; with `left: 0` the last one. */
  onRestored?(stream: string, found: Restored): void;
  /** Something could not be written; once, until `onRecovered`. */
  onFailure?(stream: string, what: Task, text: string, full: boolean): void;
  onRecovered?(stream: string, what: Task): void;
  /** An attempt to write something failed because the disk has no room; every time. `retry` makes the next one come at once. */
  onNoRoom?(stream: string): void;
  /** A stream has written more than it may, and writes less from now on; or as usual again. */
  onBudget?(stream: string, exhausted: boolean): void;
  /** The worker ended by itself. `lost`: messages that only it had, because the ring had given them up. */
  onReplaced?(lost: readonly StreamCount[]): void;
}

export interface CloseResult {
  /** What is in no file. */
  readonly unwritten: readonly StreamCount[];
}

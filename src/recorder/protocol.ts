import type { RingHandle } from '../ring/layout.js';
import type { NamedKey } from '../seal/keyring.js';
import type { Compression } from './files/parquet.js';
import type { CommittedFile } from './files/writer.js';
import type { Correction } from './timeline.js';

/**
 * What a client may rely on once its message is acknowledged: `none`: it is in the ring; `process`: it is with the operating
 * system; `interval`: so it is, and is synced within `syncInterval`; `strict`: it is synced.
 */
export type Durability = 'none' | 'process' | 'interval' | 'strict';

/** A stream as the recorder sees it. */
export interface RecordedStream {
  readonly name: string;
  readonly durability: Durability;
  /** Between two syncs of the journal, ms. */
  readonly syncInterval: number;
  /** Milliseconds and bytes; 0 for "not because of this". */
  readonly flush: {
    readonly every: number;
    readonly bytes: number;
    readonly messages: number;
    readonly idle: number;
  };
  readonly parquet: { readonly compression: Compression };
  /** Left out: its files are not encrypted. */
  readonly encryption?: { readonly enabled: boolean };
  readonly writeBudget: { readonly perDay: number; readonly stopJournal: boolean };
}

/** Why a file was begun. `full`: the ring is about to have no room. */
export type FlushReason = 'full' | 'bytes' | 'messages' | 'every' | 'idle' | 'request' | 'shutdown';

export interface FlushInfo {
  readonly reason: FlushReason;
  /** Encoding and writing. */
  readonly seconds: number;
  /** Size of the columns without compression. */
  readonly rawBytes: number;
  /** Written to the journal and how often it was synced, since the file before. */
  readonly journalBytes: number;
  readonly journalSyncs: number;
}

export interface StreamCount {
  readonly stream: string;
  readonly messages: number;
}

/** What the worker, and the thread that makes its files, are started with. */
export interface WorkerStart {
  readonly dataDir: string;
  readonly bootId: string;
  /** Keys are monotonic time plus this; microseconds. */
  readonly clockBase: number;
  readonly corrections: readonly Correction[];
  readonly version: string;
  readonly doorbell: SharedArrayBuffer;
  /** Of the thread that makes files, where the system has one for a thread. */
  readonly nice: number;
  readonly keys: readonly NamedKey[];
  /** Whether encrypted files are sent decrypted. */
  readonly sentOpen: boolean;
  /** Bytes of the disk that are left free. */
  readonly reserve: number;
  readonly modules: RecorderModules;
}

/** URLs of modules that stand in for the disk (`DiskModule`) and the encoder (`EncoderModule`) in the recorder's threads. */
export interface RecorderModules {
  readonly disk?: string;
  readonly encoder?: string;
  /** Given to both. */
  readonly data?: unknown;
}

/** Numbers of a stream's files, as the broker's thread knows them. */
export interface FileNumbers {
  /** All below are known. */
  readonly next: number;
  /** Others that are known: they were there before those below them. */
  readonly told: readonly number[];
  /** Those from this on that are not known are of a thread that ended before it told; `Infinity`: there was none. */
  readonly untoldFrom: number;
}

/** What a stream's thread keeps in the words of `AddControl.shared`: how many messages it took over and did not commit. */
export const HELD = 0;
/** The number of the first file that it made, or will make; 0: it does not know yet. */
export const FIRST_NUMBER = 1;

export type AddControl = {
  readonly kind: 'add';
  readonly stream: RecordedStream;
  readonly ring: RingHandle;
  /** The first message to take, as a whole sequence. */
  readonly from: number;
  readonly numbers: FileNumbers;
  /** A thread before this one had the stream, and has ended. */
  readonly again: boolean;
  /** Those with keys from this on, in a journal that was left, are in the ring. */
  readonly ringKey: number;
  /** Two Int32: HELD and FIRST_NUMBER. */
  readonly shared: SharedArrayBuffer;
};

/** Controls that are answered, by a report with the same id. */
export type Request =
  | {
      readonly kind: 'flush';
      readonly id: number;
      readonly stream: string;
      readonly reason: 'request' | 'full';
    }
  | { readonly kind: 'remove'; readonly id: number; readonly stream: string }
  /** `open`: of what is in an encrypted file of so many bytes; without: of the file as it is. */
  | { readonly kind: 'hash'; readonly id: number; readonly path: string; readonly open?: number };

/** Broker's thread to worker. */
export type Control =
  | AddControl
  | Request
  | { readonly kind: 'correct'; readonly corrections: readonly Correction[] }
  /** There may be room: what waits to be tried again is tried now. */
  | { readonly kind: 'retry'; readonly stream: string }
  /** What `Restored` told to be missing is on the disk: segments that told it are not needed for that any more. */
  | { readonly kind: 'noted'; readonly stream: string }
  /** So many bytes were written of the stream by others. */
  | { readonly kind: 'wrote'; readonly stream: string; readonly bytes: number }
  | { readonly kind: 'stop' };

/** The checksum of a file. */
export interface DigestResult {
  /** Lower-case hex. */
  readonly sha256: string;
  readonly bytes: number;
}

export type Answer = CommittedFile | DigestResult | null;

/** What was found of an earlier process's journal, a segment at a time. */
export interface Restored {
  /** null: all of it was in files already. */
  readonly file: CommittedFile | null;
  /** Bytes that were no whole block. */
  readonly torn: number;
  /** It was no segment, or was changed, or rows that came before it are missing. */
  readonly unreadable: boolean;
  /** Segments that are not read yet; 0: this was the last one, or there was none. */
  readonly left: number;
}

/** What can fail, and is tried again. */
export type Task = 'file' | 'journal' | 'recovery';

/** Worker to broker's thread. */
export type Report =
  | { readonly kind: 'ready' }
  /** Something that changes no result. */
  | { readonly kind: 'remark'; readonly text: string }
  | {
      readonly kind: 'committed';
      readonly stream: string;
      readonly file: CommittedFile;
      /** All messages before this sequence are in files or were dropped. */
      readonly upTo: number;
      readonly info: FlushInfo;
    }
  /** All messages before this sequence are as safe as the stream promises. */
  | { readonly kind: 'safe'; readonly stream: string; readonly upTo: number }
  | ({ readonly kind: 'restored'; readonly stream: string } & Restored)
  | {
      readonly kind: 'failed';
      readonly stream: string;
      readonly what: Task;
      readonly error: string;
      readonly messages: number;
      /** For lack of room. */
      readonly full: boolean;
    }
  | { readonly kind: 'recovered'; readonly stream: string; readonly what: Task }
  /** An attempt failed because the disk has no room; every time. */
  | { readonly kind: 'no-room'; readonly stream: string }
  /** The stream has written more than it may, and writes less from now on; or as usual again. */
  | { readonly kind: 'budget'; readonly stream: string; readonly exhausted: boolean }
  | { readonly kind: 'done'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'undone'; readonly id: number; readonly error: string }
  | { readonly kind: 'stopped'; readonly unwritten: readonly StreamCount[] };

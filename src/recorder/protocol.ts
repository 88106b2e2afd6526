import type { RingHandle } from '../ring/layout.js';
import type { CommittedFile } from './file.js';
import type { Compression } from './parquet.js';
import type { Correction } from './timeline.js';

/** A stream as the recorder sees it. */
export interface RecordedStream {
  readonly name: string;
  /** Milliseconds and bytes; 0 for "not because of this". */
  readonly flush: {
    readonly every: number;
    readonly bytes: number;
    readonly messages: number;
    readonly idle: number;
  };
  readonly parquet: { readonly compression: Compression };
}

/** Why a file was begun. `full`: the ring is about to have no room. */
export type FlushReason = 'full' | 'bytes' | 'messages' | 'every' | 'idle' | 'request' | 'shutdown';

export interface FlushInfo {
  readonly reason: FlushReason;
  /** Encoding and writing. */
  readonly seconds: number;
  /** Size of the columns without compression. */
  readonly rawBytes: number;
}

export interface StreamCount {
  readonly stream: string;
  readonly messages: number;
}

/** What the worker is started with. */
export interface WorkerStart {
  readonly dataDir: string;
  readonly bootId: string;
  /** Keys are monotonic time plus this; microseconds. */
  readonly clockBase: number;
  readonly corrections: readonly Correction[];
  readonly version: string;
  readonly doorbell: SharedArrayBuffer;
  /** Of the thread, where the system has one for a thread. */
  readonly nice: number;
  readonly modules: RecorderModules;
}

/** URLs of modules that stand in for the disk (`DiskModule`) and the encoder (`EncoderModule`) in the worker. */
export interface RecorderModules {
  readonly disk?: string;
  readonly encoder?: string;
  /** Given to both. */
  readonly data?: unknown;
}

export type AddControl = {
  readonly kind: 'add';
  readonly stream: RecordedStream;
  readonly ring: RingHandle;
  /** The first message to take, as a whole sequence. */
  readonly from: number;
  /** Number of the stream's next file. */
  readonly seq: number;
  /** One Int32 that holds the number of messages taken over and not committed. */
  readonly held: SharedArrayBuffer;
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
  | { readonly kind: 'hash'; readonly id: number; readonly path: string };

/** Broker's thread to worker. */
export type Control =
  | AddControl
  | Request
  | { readonly kind: 'correct'; readonly corrections: readonly Correction[] }
  | { readonly kind: 'stop' };

/** The checksum of a file. */
export interface DigestResult {
  /** Lower-case hex. */
  readonly sha256: string;
  readonly bytes: number;
}

export type Answer = CommittedFile | DigestResult | null;

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
  | {
      readonly kind: 'failed';
      readonly stream: string;
      readonly error: string;
      readonly messages: number;
    }
  | { readonly kind: 'recovered'; readonly stream: string }
  | { readonly kind: 'done'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'undone'; readonly id: number; readonly error: string }
  | { readonly kind: 'stopped'; readonly unwritten: readonly StreamCount[] }
  | { readonly kind: 'poisoned'; readonly error: string };

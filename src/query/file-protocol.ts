/** What the broker's thread and the thread that reads files say to each other. */
import type { NamedKey } from '../seal/keyring.js';
import type { Batch } from './batch.js';
import type { RowQuery } from './file-scan.js';

/** What the thread is started with. */
export interface ReaderStart {
  readonly nice: number;
  /** For encrypted files. */
  readonly keys: readonly NamedKey[];
}

/** `next` asks for one batch; another one may be asked for when it has been answered. */
export type Order =
  | { readonly op: 'open'; readonly id: number; readonly query: RowQuery }
  | { readonly op: 'next'; readonly id: number }
  | { readonly op: 'cancel'; readonly id: number };

/** One for each `next`; nothing follows an `end` or a `failed`. */
export type Answer =
  | { readonly kind: 'batch'; readonly id: number; readonly batch: Batch }
  | { readonly kind: 'end'; readonly id: number }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly reason: string;
      /** The system's code (`ENOENT`), if it was the system that failed. */
      readonly code: string | undefined;
    };

import { SYSTEM_TIME } from '../bridge/time.js';
import type { Catalog } from '../catalog/catalog.js';
import type { StreamConfig } from '../config/schema.js';
import type { Stream } from '../exchange/stream.js';
import type { Logger } from '../log.js';
import { Merger } from '../merge/merger.js';
import { limitsOf } from '../merge/plan.js';
import { MergeThread } from '../merge/thread.js';
import type { RecorderModules } from '../recorder/protocol.js';
import type { Keyring } from '../seal/keyring.js';
import { BACKGROUND_NICE } from '../thread-priority.js';
import { VERSION } from '../version.js';
import type { DiskPolicy } from './disk-policy.js';

export interface MergesOptions {
  readonly dataDir: string;
  /** Bytes of the disk that are left free. */
  readonly reserve: number;
  readonly catalog: Catalog;
  readonly log: Logger;
  readonly keyring: Keyring;
  /** Whether encrypted files are sent decrypted. */
  readonly sentOpen: boolean;
  readonly recorderModules?: RecorderModules;
}

/** The merger of a running broker, tied to its streams. */
export class Merges {
  readonly #merger: Merger;

  /** `heldOf`: null-ish for a stream that is not there any more; `wrote`: so many bytes count for its budget. */
  constructor(
    { catalog, dataDir, keyring, log, reserve, sentOpen, recorderModules: modules = {} }: MergesOptions,
    heldOf: (name: string) => { readonly stream: Stream; readonly disk: DiskPolicy } | undefined,
    wrote: (name: string, bytes: number) => void,
  ) {
    this.#merger = new Merger({
      catalog,
      log,
      startThread: () =>
        new MergeThread({
          dataDir,
          version: VERSION,
          nice: BACKGROUND_NICE,
          reserve,
          keys: keyring.keys,
          sentOpen,
          modules,
        }),
      // A disk that fails, or that is to be spared, has other things to do.
      mayWrite: (name) => {
        const held = heldOf(name);
        return held !== undefined && held.disk.failure === null && !held.stream.stats.overBudget;
      },
      time: SYSTEM_TIME,
      onMerged: (name, count, { bytes }) => {
        const stats = heldOf(name)?.stream.stats;
        if (stats === undefined) return;
        stats.filesMerged += count;
        stats.bytesMerged += bytes;
        wrote(name, bytes);
      },
      onFailed: (name) => {
        const stats = heldOf(name)?.stream.stats;
        if (stats !== undefined) stats.mergeFailures++;
      },
    });
  }

  /** From now on all files of the stream are known, or will be in the catalogue in the order of their keys. */
  add({ name, encryption, merge, parquet, retention }: StreamConfig): void {
    if (!merge.enabled) return;
    const limits = limitsOf(merge.below, retention);
    this.#merger.add(name, { limits, compression: parquet.compression, encrypted: encryption.enabled });
  }

  remove(name: string): void {
    this.#merger.remove(name);
  }

  /** There may be something to merge. */
  look(name: string): void {
    this.#merger.look(name);
  }

  close(): Promise<void> {
    return this.#merger.close();
  }
}

import { MqttStreamError, textOf } from '../../errors.js';
import type { Database } from './database.js';
import { Pending } from './pending.js';

interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

export interface GroupCommitOptions {
  readonly folder: string;
  readonly database: Database;
  /** Each batch is on the disk before it counts as written; else it has been handed to the operating system. */
  readonly sync: boolean;
  readonly onFault: (error: Error) => void;
}

/**
 * All changes of one turn of the event loop are one batch, and while that is being written the next one fills. A batch
 * has one promise, for everybody. If it cannot be written it is reported, and its changes go with the next one.
 */
export class GroupCommit {
  /** Called before a batch is written: what is to go with it. */
  onWrite: () => void = () => {};
  readonly #options: GroupCommitOptions;
  #filling = new Pending();
  #writing: Pending | null = null;
  /** Of the batch that fills; null while nobody has put anything in. */
  #awaited: Deferred | null = null;
  #written: Promise<void> = Promise.resolve();
  /** A write failed: LevelDB's log may end in the middle of a record, and what follows could not be read. */
  #damaged = false;
  #closed = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** What is not written yet: may be changed until the turn ends. */
  get changes(): Pending {
    this.#awaited ??= this.#begin();
    return this.#filling;
  }

  /** null: deleted; undefined: there is no change that is not written. */
  get(key: string): Buffer | null | undefined {
    const change = this.#filling.get(key);
    return change === undefined ? this.#writing?.get(key) : change;
  }

  /** All changes below a key that are not written, each key once. */
  below(prefix: string): Map<string, Buffer | null> {
    const found = new Map<string, Buffer | null>();
    for (const pending of [this.#writing, this.#filling]) {
      if (pending === null) continue;
      for (const [key, value] of pending.entries()) if (key.startsWith(prefix)) found.set(key, value);
    }
    return found;
  }

  /** Everything put so far is written. Begins what was left by a batch that failed, too. */
  written(): Promise<void> {
    if (this.#awaited === null && this.#filling.empty) return this.#written;
    this.#awaited ??= this.#begin();
    return this.#awaited.promise;
  }

  /** Writes what is left. What is put later cannot be written, and is reported. */
  async close(): Promise<void> {
    try {
      await this.written();
    } finally {
      this.#closed = true;
      await this.#options.database.close();
    }
  }

  /** As `written`; null if there is nothing to wait for. */
  get unwritten(): Promise<void> | null {
    if (this.#awaited === null && this.#filling.empty && this.#writing === null) return null;
    return this.written();
  }

  #begin(): Deferred {
    if (this.#writing === null) setImmediate(this.#write);
    return deferred();
  }

  readonly #write = async (): Promise<void> => {
    if (!this.#filling.empty) this.onWrite();
    const batch = this.#filling;
    const { promise, resolve, reject } = this.#awaited!;
    this.#awaited = null;
    if (batch.empty) return resolve();
    this.#filling = new Pending();
    this.#writing = batch;
    this.#written = promise;
    try {
      if (this.#closed) throw new Error('it is closed');
      if (this.#damaged) await this.#reopen();
      const { database, sync } = this.#options;
      const operations = database.batch();
      for (const [key, value] of batch.entries()) {
        if (value === null) operations.del(key);
        else operations.put(key, value);
      }
      await operations.write({ sync });
      resolve();
    } catch (error) {
      this.#damaged = true;
      this.#filling.follow(batch);
      const { folder, onFault } = this.#options;
      const fault = new MqttStreamError('STORE_WRITE_FAILED', [folder, textOf(error)], { cause: error });
      reject(fault);
      onFault(fault);
    } finally {
      this.#writing = null;
      if (this.#awaited !== null) setImmediate(this.#write);
    }
  };

  async #reopen(): Promise<void> {
    await this.#options.database.close();
    await this.#options.database.open();
    this.#damaged = false;
  }
}

function deferred(): Deferred {
  let settle: Pick<Deferred, 'resolve' | 'reject'>;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // A batch that fails is reported once, whoever waits for it.
  promise.catch(() => {});
  return { promise, ...settle! };
}

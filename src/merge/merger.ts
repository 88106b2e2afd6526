import type { Catalog } from '../catalog/catalog.js';
import type { FileEntry } from '../catalog/entry.js';
import { Backoff } from '../recorder/backoff.js';
import type { Compression } from '../recorder/files/parquet.js';
import { type MergeLimits, nextMerge } from './plan.js';
import { productsOf } from './product.js';
import type { MergeJob, MergeReport } from './protocol.js';

/** After a merge three times as long nothing is done: a quarter of one core, and of a slow disk, at most. */
const REST = 3;
const LEAST_REST_MS = 50;
const RETRY_LEAST_MS = 10_000;
const RETRY_MOST_MS = 3_600_000;

/** See `MergeThread`. */
export interface MergeWorker {
  run(job: MergeJob): Promise<MergeReport>;
  close(): Promise<void>;
}

export interface MergedStream {
  readonly limits: MergeLimits;
  readonly compression: Compression;
  readonly encrypted: boolean;
}

export interface MergerOptions {
  readonly catalog: Catalog;
  readonly log: {
    debug(fields: object, text: string): void;
    warn(fields: object, text: string): void;
  };
  /** Whether more may be written of the stream than has to be. */
  readonly mayWrite: (stream: string) => boolean;
  readonly startThread: () => MergeWorker;
  readonly time: {
    /** Monotonic, ms. */
    now(): number;
    /** Calls back once; the returned function takes it back. */
    after(ms: number, callback: () => void): () => void;
  };
  /** `count` files are one now. */
  onMerged(stream: string, count: number, file: FileEntry): void;
  onFailed(stream: string): void;
}

/**
 * Makes few files of many small ones, one merge at a time, in a thread that lives as long as there is something to do.
 * What was made takes the place of what it was made of in one turn; who reads that goes on, and then it is deleted.
 * What is merged is not pinned: who deletes files needs the room now.
 */
export class Merger {
  readonly #options: MergerOptions;
  readonly #streams = new Map<string, MergedStream>();
  /** Streams that may have something to merge. */
  readonly #due = new Set<string>();
  /** Paths of files that cannot be merged, or are large enough. */
  readonly #unfit = new Set<string>();
  readonly #backoff = new Backoff(RETRY_LEAST_MS, RETRY_MOST_MS);
  #thread: MergeWorker | null = null;
  #running: Promise<void> | null = null;
  #endRest: (() => void) | null = null;
  #closed = false;

  constructor(options: MergerOptions) {
    this.#options = options;
  }

  /** From now on the stream's files are merged. Not before all of them are known: none may come between two others. */
  add(name: string, stream: MergedStream): void {
    this.#streams.set(name, stream);
    this.look(name);
  }

  remove(name: string): void {
    this.#streams.delete(name);
  }

  /** There may be something to merge. */
  look(name: string): void {
    if (this.#closed || !this.#streams.has(name)) return;
    this.#due.add(name);
    // Not before this is known to run: what it calls may look again.
    this.#running ??= Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#running = null;
        // Something came while the thread ended.
        for (const due of this.#due) this.look(due);
      });
  }

  /** Ends the thread, wherever it is: what it leaves half done the next start removes. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#due.clear();
    this.#endRest?.();
    await this.#thread?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { startThread, time } = this.#options;
    for (let job = this.#next(); job !== null; job = this.#next()) {
      const started = time.now();
      this.#thread ??= startThread();
      const report = await this.#thread.run(job);
      if (this.#closed) return;
      const ms = this.#heed(job, report, time.now() - started);
      if (report.kind === 'failed') {
        await this.#endThread();
        // It may have ended, or the disk failed, when the file had its name: another one, of other files, would be beside it.
        await this.#options.catalog.discard(job.stream, productsOf(job));
      }
      await this.#rest(ms);
    }
    await this.#endThread();
  }

  /** How long to do nothing after that. */
  #heed(job: MergeJob, report: MergeReport, took: number): number {
    const { catalog, log, onFailed, onMerged } = this.#options;
    const { stream } = job;
    if (report.kind === 'failed') {
      log.warn({ stream, error: report.error }, 'files could not be merged; it is tried again later');
      onFailed(stream);
      return this.#backoff.next();
    }
    this.#backoff.reset();
    if (report.kind === 'unfit') {
      const { path: file, reason } = report;
      log.debug({ stream, file, reason }, 'a file is not merged with others');
      this.#unfit.add(file);
    } else {
      const { count } = report;
      const file = { ...report.file, stream };
      const merged = catalog.replace(job.files.slice(0, count), file);
      log.debug({ stream, file: file.name, count, merged }, 'files were merged');
      if (merged) onMerged(stream, count, file);
    }
    return Math.max(LEAST_REST_MS, took * REST);
  }

  #next(): MergeJob | null {
    const { catalog, mayWrite } = this.#options;
    for (const stream of this.#due) {
      const merged = this.#streams.get(stream);
      if (merged !== undefined && catalog.loading(stream) === 0 && mayWrite(stream)) {
        const unsettled = catalog.unsettled(stream).map(({ path }) => path);
        const unfit = unsettled.length === 0 ? this.#unfit : new Set([...this.#unfit, ...unsettled]);
        const fences = catalog.dropped
          .filter((file) => file.stream === stream)
          .map(({ firstKey }) => firstKey);
        const files = nextMerge(catalog.files(stream), merged.limits, unfit, fences);
        const { compression, encrypted, limits } = merged;
        if (files.length > 0) return { stream, compression, encrypted, rawBytes: limits.rawBytes, files };
      }
      this.#due.delete(stream);
    }
    return null;
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.time.after(ms, resolve);
      this.#endRest = () => {
        cancel();
        resolve();
      };
    });
  }

  async #endThread(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    await thread?.close();
  }
}

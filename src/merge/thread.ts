import { Worker } from 'node:worker_threads';
import { textOf } from '../errors.js';
import type { MergeJob, MergeReport, MergeStart } from './protocol.js';

// A broken file can make its decoder fill memory: then this thread ends, not the process.
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 256 };

/** The thread that merges files, from its start to its end. */
export class MergeThread {
  readonly #worker: Worker;
  #answer: ((report: MergeReport) => void) | null = null;
  #ended: string | null = null;

  constructor(start: MergeStart) {
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), {
      name: 'mqtt-stream merge',
      workerData: start,
      resourceLimits: RESOURCE_LIMITS,
    });
    this.#worker.unref();
    this.#worker.on('message', (report: MergeReport) => this.#answered(report));
    this.#worker.on('error', (error) => this.#end(textOf(error)));
    this.#worker.on('exit', (code) => this.#end(`exit code ${code}`));
  }

  /** One at a time. If the thread ends meanwhile, the merge has failed, and so do all after it. */
  run(job: MergeJob): Promise<MergeReport> {
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.#worker.ref();
      if (this.#ended === null) this.#worker.postMessage(job);
      else this.#fail(this.#ended);
    });
  }

  /** Ends it wherever it is. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #end(cause: string): void {
    this.#ended ??= cause;
    this.#fail(this.#ended);
  }

  #fail(cause: string): void {
    this.#answered({ kind: 'failed', error: `the thread that merges files ended: ${cause}` });
  }

  #answered(report: MergeReport): void {
    this.#worker.unref();
    this.#answer?.(report);
    this.#answer = null;
  }
}

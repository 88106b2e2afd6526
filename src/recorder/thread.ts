import { Worker } from 'node:worker_threads';
import type { Control, Report, WorkerStart } from './protocol.js';

/** The recorder's worker thread, from its start to its end. */
export class RecorderThread {
  readonly #worker: Worker;
  #cause: unknown = null;
  readonly #ended: Promise<void>;

  /** `onEnd` is called once, after the last report, with what made it end or `null`. */
  constructor(start: WorkerStart, onReport: (report: Report) => void, onEnd: (cause: unknown) => void) {
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: start,
      name: 'mqtt-stream recorder',
    });
    this.#worker.on('message', (report: Report) => {
      if (report.kind === 'poisoned') this.#cause = report.error;
      onReport(report);
    });
    this.#worker.on('error', (error) => {
      this.#cause = error;
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        onEnd(this.#cause);
        resolve();
      });
    });
  }

  post(control: Control): void {
    this.#worker.postMessage(control);
  }

  /** Ends it wherever it is; resolves when it has ended. A system call that hangs cannot be ended. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
    await this.#ended;
  }
}

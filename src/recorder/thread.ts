import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Control, Report, WorkerStart } from './protocol.js';

/** The recorder's worker thread and the one that makes its files, from their start to their end: one does not outlive the other. */
export class RecorderThread {
  readonly #worker: Worker;
  readonly #files: Worker;
  #cause: unknown = null;
  readonly #ended: Promise<void>;

  /** `onEnd` is called once, after the last report, with what made it end or `null`. */
  constructor(start: WorkerStart, onReport: (report: Report) => void, onEnd: (cause: unknown) => void) {
    const { port1, port2 } = new MessageChannel();
    this.#files = threadOf('./files/worker.js', 'mqtt-stream files', { start, port: port2 }, port2);
    this.#worker = threadOf('./worker.js', 'mqtt-stream recorder', { start, files: port1 }, port1);
    this.#worker.on('message', onReport);
    const ends = [this.#files, this.#worker].map(
      (thread) =>
        new Promise<void>((resolve) => {
          thread.on('error', (error) => {
            this.#cause ??= error;
          });
          thread.on('exit', () => {
            // What ends one of them by itself ends both.
            void this.terminate();
            resolve();
          });
        }),
    );
    this.#ended = Promise.all(ends).then(() => onEnd(this.#cause));
  }

  post(control: Control): void {
    this.#worker.postMessage(control);
  }

  /** Ends both wherever they are; resolves when they have ended. A system call that hangs cannot be ended. */
  async terminate(): Promise<void> {
    await Promise.all([this.#files.terminate(), this.#worker.terminate()]);
    await this.#ended;
  }
}

function threadOf(path: string, name: string, workerData: unknown, port: MessagePort): Worker {
  return new Worker(new URL(path, import.meta.url), { name, workerData, transferList: [port] });
}

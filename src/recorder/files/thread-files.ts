import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { FileJob, FileOutcome, Files, PendingFile } from './job.js';
import type { FilesControl, FilesReport } from './protocol.js';

/** Files that another thread makes, which rings the recorder's doorbell for each outcome. */
export class ThreadFiles implements Files {
  readonly #port: MessagePort;
  readonly #pending = new Map<number, { outcome: FileOutcome | null }>();
  #nextId = 0;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  begin(job: FileJob): PendingFile {
    const pending = { outcome: null };
    const id = this.#nextId++;
    this.#pending.set(id, pending);
    this.#post({ kind: 'make', id, job });
    return pending;
  }

  collect(): void {
    if (this.#pending.size === 0) return;
    for (
      let got = receiveMessageOnPort(this.#port);
      got !== undefined;
      got = receiveMessageOnPort(this.#port)
    ) {
      const { id, outcome } = got.message as FilesReport;
      this.#pending.get(id)!.outcome = outcome;
      this.#pending.delete(id);
    }
  }

  openReserve(): void {
    this.#post({ kind: 'open-reserve' });
  }

  #post(control: FilesControl): void {
    this.#port.postMessage(control);
  }
}

/** Files that are made on the test's own thread: at once, or when the test says so. */
import type { FileJob, FileOutcome, Files, PendingFile } from '../../src/recorder/files/job.js';
import type { FileMaker } from '../../src/recorder/files/maker.js';

export class RigFiles implements Files {
  /** Files are made only by `make`. */
  deferred = false;
  readonly #maker: FileMaker;
  readonly #openReserve: () => void;
  readonly #waiting: { readonly job: FileJob; readonly pending: { outcome: FileOutcome | null } }[] = [];

  constructor(maker: FileMaker, openReserve: () => void) {
    this.#maker = maker;
    this.#openReserve = openReserve;
  }

  begin(job: FileJob): PendingFile {
    const pending = { outcome: null };
    this.#waiting.push({ job, pending });
    if (!this.deferred) this.make();
    return pending;
  }

  /** Makes the oldest of those that were begun; false if there is none. */
  make(): boolean {
    const next = this.#waiting.shift();
    if (next === undefined) return false;
    next.pending.outcome = this.#maker.make(next.job);
    return true;
  }

  collect(): void {}

  openReserve(): void {
    this.#openReserve();
  }
}

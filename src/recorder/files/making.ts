import type { Trial } from '../trial.js';
import type { FileJob, Files, PendingFile } from './job.js';
import type { CommittedFile } from './writer.js';

/** One file to be; what fails is begun again when its trial is due. */
export class FileMaking {
  readonly job: FileJob;
  readonly #files: Files;
  readonly #trial: Trial;
  #pending: PendingFile | null = null;

  constructor(files: Files, trial: Trial, job: FileJob) {
    this.#files = files;
    this.#trial = trial;
    this.job = job;
  }

  /** Whether it is going on. */
  get begun(): boolean {
    return this.#pending !== null;
  }

  /** Begins it, if it may be; false if not, or if it is going on. */
  begin(): boolean {
    if (this.begun || !this.#trial.due) return false;
    this.#pending = this.#files.begin(this.job);
    return true;
  }

  /** The file; null if there is no news of it. `messages`: how many wait for it. */
  collect(messages: () => number): CommittedFile | 'failed' | null {
    const outcome = this.#pending?.outcome;
    if (outcome == null) return null;
    this.#pending = null;
    if ('error' in outcome) {
      this.#trial.failed(outcome.error, outcome.full, messages());
      return 'failed';
    }
    this.#trial.succeeded();
    return outcome.file;
  }
}

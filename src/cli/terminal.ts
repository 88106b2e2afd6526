import type { WriteStream } from 'node:tty';

type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY'>>;

/** Often enough to be seen moving. */
const PROGRESS_EVERY_MS = 100;
const CLEAR_LINE = '\r\x1b[K';

/** Standard output for what was asked for, standard error for everything that is said about it. */
export class Terminal {
  readonly #stdout: Output;
  readonly #stderr: Output;
  readonly #now: () => number;
  #progressShown = false;
  #nextProgress = 0;
  /** Nobody reads standard output any more. */
  onReaderGone: () => void = () => process.exit(1);

  constructor(stdout: Output, stderr: Output, now: () => number = () => performance.now()) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#now = now;
    stdout.on('error', () => this.onReaderGone());
    // There is nowhere left to say so.
    stderr.on('error', () => {});
  }

  out(line: string): void {
    this.#clearProgress();
    this.#stdout.write(`${line}\n`);
  }

  err(line: string): void {
    this.#clearProgress();
    this.#stderr.write(`${line}\n`);
  }

  /** A line that the next one replaces, where a person is watching. */
  progress(text: () => string): void {
    const now = this.#now();
    if (now < this.#nextProgress) return;
    this.#nextProgress = now + PROGRESS_EVERY_MS;
    this.step(text());
  }

  /** As `progress`, without sparing any. */
  step(text: string): void {
    if (!this.#stderr.isTTY) return;
    this.#stderr.write(`${CLEAR_LINE}${text}`);
    this.#progressShown = true;
  }

  #clearProgress(): void {
    if (!this.#progressShown) return;
    this.#progressShown = false;
    this.#stderr.write(CLEAR_LINE);
  }
}

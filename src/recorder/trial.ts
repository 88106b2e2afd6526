import { textOf } from '../errors.js';
import { Backoff } from './backoff.js';
import type { RecorderContext } from './context.js';
import type { Task } from './protocol.js';
import { isFull } from './room.js';

const RETRY_LEAST_MS = 100;
const RETRY_MOST_MS = 10_000;
/** Whether there is room again is cheap to see. */
const FULL_MOST_MS = 1000;

/** Something that a disk may refuse, and that is tried again after a while. */
export class Trial {
  readonly #context: RecorderContext;
  readonly #stream: string;
  readonly #what: Task;
  readonly #backoff = new Backoff(RETRY_LEAST_MS, RETRY_MOST_MS);
  #retryAt: number | null = null;
  /** Why the last attempt failed. */
  error: string | null = null;

  constructor(context: RecorderContext, stream: string, what: Task) {
    this.#context = context;
    this.#stream = stream;
    this.#what = what;
  }

  get failing(): boolean {
    return this.error !== null;
  }

  /** Whether it may be done now. */
  get due(): boolean {
    return this.#retryAt === null || this.#context.now() >= this.#retryAt;
  }

  /** When it will be tried again; `Infinity` if it does not fail. */
  get deadline(): number {
    return this.#retryAt ?? Number.POSITIVE_INFINITY;
  }

  /** It is tried again at once. */
  hurry(): void {
    if (this.#retryAt !== null) this.#retryAt = this.#context.now();
  }

  /** False: it failed, which is reported the first time; `messages`: how many wait for it. */
  attempt(work: () => void, messages: () => number): boolean {
    try {
      work();
    } catch (error) {
      this.failed(textOf(error), isFull(error), messages());
      return false;
    }
    this.succeeded();
    return true;
  }

  /** What was tried has failed; `full`: for lack of room. */
  failed(error: string, full: boolean, messages: number): void {
    const { now, post } = this.#context;
    const stream = this.#stream;
    const first = this.error === null;
    this.error = error;
    const wait = this.#backoff.next();
    this.#retryAt = now() + (full ? Math.min(wait, FULL_MOST_MS) : wait);
    if (first) post({ kind: 'failed', stream, what: this.#what, error, messages, full });
    if (full) post({ kind: 'no-room', stream });
  }

  /** What was tried is done, or is not needed any more. */
  succeeded(): void {
    if (this.error === null) return;
    this.error = null;
    this.#retryAt = null;
    this.#backoff.reset();
    this.#context.post({ kind: 'recovered', stream: this.#stream, what: this.#what });
  }
}

import type { Batch } from './batch.js';
import type { Budget } from './budget.js';
import type { Drain, DrainLimits } from './drain.js';
import type { FlushReason, RecordedStream } from './protocol.js';

/** What one call of the encoder is given at most, except for a single message that is larger. */
const MOST_RAW_BYTES = 64 * 1024 * 1024;

/** How much longer messages wait for their file while more was written than may be. */
const PATIENCE = 10;

/** When a file is made of what a stream's batch holds, and how much that may be. */
export class FlushRule {
  readonly #flush: RecordedStream['flush'];
  readonly #budget: Budget;
  /** When the first and the last row of the batch came, ms. */
  #firstAt = 0;
  #lastAt = 0;

  constructor(flush: RecordedStream['flush'], budget: Budget) {
    this.#flush = flush;
    this.#budget = budget;
  }

  /** Rows came; `first`: into an empty batch. */
  took(now: number, first: boolean): void {
    this.#lastAt = now;
    if (first) this.#firstAt = now;
  }

  /** Of a batch whose files can be written. */
  limits(): DrainLimits {
    const { bytes, messages } = this.#flush;
    return {
      rows: messages || Number.POSITIVE_INFINITY,
      bytes: Math.min(bytes || MOST_RAW_BYTES, MOST_RAW_BYTES),
    };
  }

  /** While a file of so many raw bytes cannot be written, what comes after it joins one batch. */
  limitsBehind(rawBytes: number): DrainLimits {
    return { rows: Number.POSITIVE_INFINITY, bytes: MOST_RAW_BYTES - rawBytes };
  }

  /** Why a file is to be made of a batch that has rows; null: it is not. */
  due(batch: Batch, drain: Drain, now: number): FlushReason | null {
    const { bytes, messages } = this.#flush;
    if (drain.pressure() >= 1) return 'full';
    if (messages > 0 && batch.rows >= messages) return 'messages';
    if (drain.limited || (bytes > 0 && batch.rawBytes >= bytes)) return 'bytes';
    if (now >= this.#everyAt()) return 'every';
    return now >= this.#idleAt() ? 'idle' : null;
  }

  /** When a file of the batch is due without a new message, ms; `Infinity`: never. */
  deadline(): number {
    return Math.min(this.#everyAt(), this.#idleAt());
  }

  #everyAt(): number {
    return after(this.#firstAt, this.#flush.every * this.#patience());
  }

  #idleAt(): number {
    return after(this.#lastAt, this.#flush.idle * this.#patience());
  }

  /** Few large files are less to write than many small ones. */
  #patience(): number {
    return this.#budget.exhausted ? PATIENCE : 1;
  }
}

/** `delay` milliseconds after `from`; 0 is "never". */
function after(from: number, delay: number): number {
  return delay === 0 ? Number.POSITIVE_INFINITY : from + delay;
}

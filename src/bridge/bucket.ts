/** Bytes that may be sent at once after a pause: those of so much time, ms. */
const BURST_MS = 1000;

/**
 * A limit of bytes a second. Who sends takes what it needs, be it more than there is, and the next one waits until
 * that is made up for: so messages of any size pass, and over time the rate is the limit.
 */
export class Bucket {
  readonly #perMs: number;
  readonly #most: number;
  #bytes: number;
  #at: number;

  /** `rate`: bytes a second, 0: no limit. `now` in ms, here and below. */
  constructor(rate: number, now: number) {
    this.#perMs = rate / 1000;
    this.#most = this.#perMs * BURST_MS;
    this.#bytes = this.#most;
    this.#at = now;
  }

  take(bytes: number): void {
    if (this.#perMs > 0) this.#bytes -= bytes;
  }

  /** Ms until something may be sent; 0: now. */
  wait(now: number): number {
    if (this.#perMs === 0) return 0;
    this.#bytes = Math.min(this.#most, this.#bytes + (now - this.#at) * this.#perMs);
    this.#at = now;
    return this.#bytes > 0 ? 0 : Math.ceil((1 - this.#bytes) / this.#perMs);
  }
}

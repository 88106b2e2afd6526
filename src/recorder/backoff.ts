/** Delays between attempts: doubled from the least to the most. */
export class Backoff {
  readonly #least: number;
  readonly #most: number;
  #delay: number;

  /** Milliseconds. */
  constructor(least: number, most: number) {
    this.#least = least;
    this.#most = most;
    this.#delay = least;
  }

  /** Milliseconds until the next attempt. */
  next(): number {
    const delay = this.#delay;
    this.#delay = Math.min(this.#most, delay * 2);
    return delay;
  }

  reset(): void {
    this.#delay = this.#least;
  }
}

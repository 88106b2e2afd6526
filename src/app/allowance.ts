/** How much of something is let through: a burst, then so much a second. */
export class Allowance {
  readonly #burst: number;
  readonly #aSecond: number;
  #left: number;
  #since: number;

  /** `now`: ms, of the same clock as for `take`. */
  constructor(burst: number, aSecond: number, now: number) {
    this.#burst = burst;
    this.#aSecond = aSecond;
    this.#left = burst;
    this.#since = now;
  }

  take(now: number): boolean {
    const earned = ((now - this.#since) / 1000) * this.#aSecond;
    this.#left = Math.min(this.#burst, this.#left + earned);
    this.#since = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}

const MINUTE_MS = 60_000;

/** The periods of the averages, by the names that mosquitto gives them, in minutes. */
export const PERIODS = [
  ['1min', 1],
  ['5min', 5],
  ['15min', 15],
] as const;

/** How often something happens a minute: averages that forget exponentially, as mosquitto has them. */
export class Load {
  readonly #averages: number[] = PERIODS.map(() => 0);
  #count = 0;

  /** In the order of `PERIODS`. */
  get averages(): readonly number[] {
    return this.#averages;
  }

  /** `count`: how often it has happened by now, `elapsed` ms after the last time. */
  add(count: number, elapsed: number): void {
    const minutes = elapsed / MINUTE_MS;
    const rate = (count - this.#count) / minutes;
    this.#count = count;
    for (const [i, [, period]] of PERIODS.entries()) {
      this.#averages[i] = rate + Math.exp(-minutes / period) * (this.#averages[i] - rate);
    }
  }
}

import { generator } from '../../catalog/generator.js';

/** The same choices for the same seed. */
export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = generator(seed);
  }

  /** 0 <= n < `end`. */
  below(end: number): number {
    return Math.floor(this.#next() * end);
  }

  of<T>(some: readonly T[]): T {
    return some[this.below(some.length)]!;
  }
}

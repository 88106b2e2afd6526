import { Fifo } from '../delivery/fifo.js';

/** Lets so many do something at the same time, and so many wait for it. */
export class Gate {
  readonly #most: number;
  readonly #mostWaiting: number;
  #inside = 0;
  readonly #waiting = new Fifo<() => void>();

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** null: too many wait already, and nothing was done. */
  async run<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.#inside < this.#most) this.#inside++;
    else {
      if (this.#waiting.length >= this.#mostWaiting) return null;
      // Who goes gives its place on.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside--;
      else next();
    }
  }
}

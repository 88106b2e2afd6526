import { Fifo } from './fifo.js';

interface Waiting<T> {
  readonly item: T;
  readonly safe: Promise<void> | null;
}

/**
 * Hands on items in their order, each when what it stands for is safe: stored, or captured by a stream. All of a turn have
 * one promise; promises of different things may be kept in any order.
 */
export class SafeOrder<T> {
  readonly #handOn: (item: T) => void;
  readonly #failed: ((error: Error) => void) | null;
  readonly #waiting = new Fifo<Waiting<T>>();
  /** The promise that was waited for last. */
  #awaited: Promise<void> | null = null;
  readonly #kept = new WeakSet<Promise<void>>();

  /** `failed`: a promise was broken, and what waits for it is not handed on; null: it is all the same. */
  constructor(handOn: (item: T) => void, failed: ((error: Error) => void) | null) {
    this.#handOn = handOn;
    this.#failed = failed;
  }

  /** Nothing waits: what is safe need not be added. */
  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** null: it is safe already. */
  add(item: T, safe: Promise<void> | null): void {
    this.#waiting.push({ item, safe });
    if (safe === null || safe === this.#awaited) return;
    this.#awaited = safe;
    const kept = () => this.#written(safe);
    safe.then(kept, this.#failed ?? kept);
  }

  #written(promise: Promise<void>): void {
    this.#kept.add(promise);
    for (let one = this.#waiting.first; one !== undefined; one = this.#waiting.first) {
      if (one.safe !== null && !this.#kept.has(one.safe)) return;
      this.#waiting.shift();
      this.#handOn(one.item);
    }
  }
}

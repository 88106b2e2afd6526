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
  readonly #broken: ((item: T, error: Error) => void) | null;
  readonly #waiting = new Fifo<Waiting<T>>();
  /** The promise that was waited for last. */
  #awaited: Promise<void> | null = null;
  /** The promises that were kept (null) or broken. */
  readonly #ended = new WeakMap<Promise<void>, Error | null>();

  /** `broken`: its promise was broken, and it is not handed on; null: it is all the same. */
  constructor(handOn: (item: T) => void, broken: ((item: T, error: Error) => void) | null) {
    this.#handOn = handOn;
    this.#broken = broken;
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
    if (safe === null) return;
    if (this.#ended.has(safe)) this.#handOnWhatIsSafe();
    if (safe === this.#awaited) return;
    this.#awaited = safe;
    safe.then(
      () => this.#went(safe, null),
      (error: Error) => this.#went(safe, error),
    );
  }

  #went(promise: Promise<void>, error: Error | null): void {
    this.#ended.set(promise, error);
    this.#handOnWhatIsSafe();
  }

  #handOnWhatIsSafe(): void {
    for (let one = this.#waiting.first; one !== undefined; one = this.#waiting.first) {
      const broken = one.safe === null ? null : this.#ended.get(one.safe);
      if (broken === undefined) return;
      this.#waiting.shift();
      if (broken === null || this.#broken === null) this.#handOn(one.item);
      else this.#broken(one.item, broken);
    }
  }
}

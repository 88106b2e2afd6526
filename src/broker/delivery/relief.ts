/**
 * Those who wait until a subscriber has less to do. They go on one after the other, each only while that still
 * holds: so the next relief begins with those who had no turn yet, and who waits again stands behind them.
 */
export class Relief {
  readonly #isRelieved: () => boolean;
  readonly #stalledAfter: number;
  /** Each once, in the order in which they came; true: it does not wait for a subscriber that takes nothing. */
  readonly #waiting = new Map<() => void, boolean>();
  #impatient = 0;
  #timer: NodeJS.Timeout | null = null;
  /** It took something since the timer was set. */
  #progress = false;
  #stalled = false;

  /** `stalledAfter` in ms. */
  constructor(isRelieved: () => boolean, stalledAfter: number) {
    this.#isRelieved = isRelieved;
    this.#stalledAfter = stalledAfter;
  }

  /** The subscriber took nothing for so long that nobody who is impatient waits for it. */
  get stalled(): boolean {
    return this.#stalled;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** `callback` is called once, however often it was given since its last call. */
  wait(callback: () => void, impatient: boolean): void {
    if (this.#waiting.has(callback)) return;
    this.#waiting.set(callback, impatient);
    if (!impatient) return;
    this.#impatient++;
    if (this.#timer !== null) return;
    this.#progress = false;
    this.#timer = setTimeout(this.#due, this.#stalledAfter);
  }

  /** `callback` does not wait any more. */
  cancel(callback: () => void): void {
    const impatient = this.#waiting.get(callback);
    if (impatient !== undefined) this.#remove(callback, impatient);
  }

  /** The subscriber took something. */
  progress(): void {
    this.#stalled = false;
    this.#progress = true;
  }

  /** Lets those go on who may. */
  look(): void {
    for (const [callback, impatient] of this.#waiting) {
      if (!this.#isRelieved()) return;
      this.#callBack(callback, impatient);
    }
  }

  /** There is nothing left to wait for. */
  close(): void {
    for (const [callback, impatient] of this.#waiting) this.#callBack(callback, impatient);
  }

  readonly #due = (): void => {
    this.#timer = null;
    if (this.#progress) {
      this.#progress = false;
      this.#timer = setTimeout(this.#due, this.#stalledAfter);
      return;
    }
    this.#stalled = true;
    for (const [callback, impatient] of this.#waiting) if (impatient) this.#callBack(callback, impatient);
  };

  #callBack(callback: () => void, impatient: boolean): void {
    this.#remove(callback, impatient);
    callback();
  }

  #remove(callback: () => void, impatient: boolean): void {
    this.#waiting.delete(callback);
    if (impatient && --this.#impatient === 0 && this.#timer !== null) {
      clearTimeout(this.#timer);
      this.#timer = null;
    }
  }
}

/**
 * Those who wait until a subscriber has less to do. They go on one after the other, each only while that still
 * holds: so the next relief begins with those who had no turn yet, and who waits again stands behind them.
 */
export class Relief {
  readonly #isRelieved: () => boolean;
  readonly #stalledAfter: number;
  #waiting: (() => void)[] = [];
  /** Of them, those who do not wait for a subscriber that takes nothing. */
  readonly #impatient = new Set<() => void>();
  #timer: NodeJS.Timeout | null = null;
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

  wait(callback: () => void): void {
    this.#waiting.push(callback);
  }

  waitUnlessStalled(callback: () => void): void {
    this.#waiting.push(callback);
    this.#impatient.add(callback);
    this.#timer ??= setTimeout(this.#giveUp, this.#stalledAfter);
  }

  /** The subscriber took something. */
  progress(): void {
    this.#stalled = false;
    this.#timer?.refresh();
  }

  /** Lets those go on who may. */
  look(): void {
    while (this.#waiting.length > 0 && this.#isRelieved()) {
      const callback = this.#waiting.shift()!;
      this.#impatient.delete(callback);
      callback();
    }
    if (this.#impatient.size === 0) this.#disarm();
  }

  /** There is nothing left to wait for. */
  close(): void {
    this.#disarm();
    this.#impatient.clear();
    for (const callback of this.#waiting.splice(0)) callback();
  }

  readonly #giveUp = (): void => {
    this.#timer = null;
    this.#stalled = true;
    const impatient = [...this.#impatient];
    this.#impatient.clear();
    this.#waiting = this.#waiting.filter((callback) => !impatient.includes(callback));
    for (const callback of impatient) callback();
  };

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

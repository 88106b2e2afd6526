/**
 * Promises for two things, made once for each two that come one after the other: messages come in turns, and all of a turn
 * have the same promises.
 */
export class Both {
  #first: Promise<void> | null = null;
  #second: Promise<void> | null = null;
  #joined: Promise<void> | null = null;

  /** null: there is nothing to wait for. */
  of(first: Promise<void> | null, second: Promise<void> | null): Promise<void> | null {
    if (first === null || first === second) return second;
    if (second === null) return first;
    if (first === this.#first && second === this.#second) return this.#joined;
    this.#first = first;
    this.#second = second;
    this.#joined = Promise.all([first, second]).then(() => {});
    // Not everybody waits for it.
    this.#joined.catch(() => {});
    return this.#joined;
  }
}

/**
 * From key `from` on, until the next one, wall time = key + `offset` (microseconds). `doubt`:
 * an earlier file may have it with another offset.
 */
export interface Correction {
  readonly from: number;
  readonly offset: number;
  readonly doubt?: 'open' | 'settled' | undefined;
}

/** What the `.clock` metadata of a file is derived from: keys are monotonic time plus a base. Microseconds. */
export class Timeline {
  readonly #base: number;
  #corrections: readonly Correction[];

  constructor(base: number, corrections: readonly Correction[]) {
    this.#base = base;
    this.#corrections = corrections;
  }

  correct(corrections: readonly Correction[]): void {
    this.#corrections = corrections;
  }

  /** The clock's record as JSON text: its state at both keys, the corrections between them, and those that were in doubt. */
  record(firstKey: number, lastKey: number): string {
    const known = this.#corrections.filter(({ from }) => from <= lastKey);
    const inForce = known.findLastIndex(({ from }) => from <= firstKey);
    const corrections = known.filter(({ doubt }, i) => i >= inForce || doubt !== undefined);
    return JSON.stringify({ open: this.#at(firstKey), close: this.#at(lastKey), corrections });
  }

  #at(key: number): { key: number; wall: number; monotonic: number } {
    // Before the first correction its offset holds: nothing else is known of that time.
    const correction = this.#corrections.findLast(({ from }) => from <= key) ?? this.#corrections[0];
    return { key, wall: key + (correction?.offset ?? 0), monotonic: key - this.#base };
  }
}

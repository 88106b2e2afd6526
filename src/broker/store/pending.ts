/** Changes that are not written yet, in the order in which they take effect. */
export class Pending {
  /** null: the row is deleted. */
  readonly #changes = new Map<string, Buffer | null>();
  /** Rows that exist nowhere else: one that is deleted again leaves nothing to write. They come after the changes. */
  readonly #inserts = new Map<string, Buffer>();

  get empty(): boolean {
    return this.#changes.size === 0 && this.#inserts.size === 0;
  }

  put(key: string, value: Buffer): void {
    if (this.#inserts.has(key)) this.#inserts.set(key, value);
    else this.#changes.set(key, value);
  }

  insert(key: string, value: Buffer): void {
    this.#inserts.set(key, value);
  }

  delete(key: string): void {
    if (!this.#inserts.delete(key)) this.#changes.set(key, null);
  }

  /** null: deleted; undefined: not changed. */
  get(key: string): Buffer | null | undefined {
    return this.#inserts.get(key) ?? this.#changes.get(key);
  }

  /** Takes over changes that were to be written before these and may or may not have been. */
  follow(earlier: Pending): void {
    for (const [key, value] of earlier.entries()) {
      const inserted = this.#inserts.get(key);
      if (inserted !== undefined) {
        // It is no longer sure that the row exists nowhere else.
        this.#inserts.delete(key);
        this.#changes.set(key, inserted);
      } else if (!this.#changes.has(key)) this.#changes.set(key, value);
    }
  }

  /** Each key once, with what becomes of it. */
  *entries(): Generator<[string, Buffer | null]> {
    for (const [key, value] of this.#changes) if (!this.#inserts.has(key)) yield [key, value];
    yield* this.#inserts;
  }
}

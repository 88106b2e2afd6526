import { resized } from './capacity.js';

/** A bit a row, the lowest first, as Arrow has booleans and "is not null". */
export class BitColumn {
  #bits = new Uint8Array(0);

  /** Makes the buffer `rows` rows large, keeping what fits. */
  resize(rows: number): void {
    this.#bits = resized(this.#bits, (rows + 7) >> 3);
  }

  set(row: number, value: boolean): void {
    const bit = 1 << (row & 7);
    if (value) this.#bits[row >> 3] |= bit;
    else this.#bits[row >> 3] &= ~bit;
  }

  get(row: number): boolean {
    return (this.#bits[row >> 3] & (1 << (row & 7))) !== 0;
  }

  /** The first `rows` rows; valid until the column is written again. */
  view(rows: number): Uint8Array {
    return this.#bits.subarray(0, (rows + 7) >> 3);
  }
}

import { BitColumn } from './bits.js';
import { type ByteStore, copyBytes, storeOf } from './bytes.js';
import { Capacity, resized } from './capacity.js';

/** What Arrow wants to know of a column of strings or byte strings. */
export interface BinaryView {
  readonly valueOffsets: Int32Array;
  readonly data: Uint8Array;
  readonly nullBitmap: Uint8Array | undefined;
}

/**
 * Byte strings one after another, with the offsets between them. Rows are written in order; writing a row again
 * forgets all behind it, so going back to an earlier row needs no call.
 */
export class BinaryColumn {
  #offsets = new Int32Array(1);
  #store = storeOf(0);
  readonly #valid: BitColumn | null;
  readonly #capacity = new Capacity(4096);

  constructor(nullable: boolean) {
    this.#valid = nullable ? new BitColumn() : null;
  }

  /** Makes room for `rows` rows, keeping what fits. */
  resize(rows: number): void {
    this.#offsets = resized(this.#offsets, rows + 1);
    this.#valid?.resize(rows);
  }

  /** Writes `source[at..at + length]` as row `row`, for which there is room. */
  put(row: number, source: ByteStore, at: number, length: number): void {
    const start = this.#offsets[row];
    const end = start + length;
    if (end > this.#store.bytes.length) this.#grow(start, end);
    copyBytes(source, at, this.#store, start, length);
    this.#offsets[row + 1] = end;
    this.#valid?.set(row, true);
  }

  putNull(row: number): void {
    this.#offsets[row + 1] = this.#offsets[row];
    this.#valid?.set(row, false);
  }

  isNull(row: number): boolean {
    return this.#valid !== null && !this.#valid.get(row);
  }

  /** The first `rows` rows; valid until the column is written again. */
  view(rows: number): BinaryView {
    return {
      valueOffsets: this.#offsets.subarray(0, rows + 1),
      data: this.#store.bytes.subarray(0, this.#offsets[rows]),
      nullBitmap: this.#valid?.view(rows),
    };
  }

  /** After a file of `rows` rows: gives memory back that the last files did not need. */
  settle(rows: number): void {
    const { length } = this.#store.bytes;
    const settled = this.#capacity.settled(length, this.#offsets[rows]);
    if (settled < length) this.#store = storeOf(settled);
  }

  #grow(used: number, need: number): void {
    const store = storeOf(this.#capacity.grown(this.#store.bytes.length, need));
    store.bytes.set(this.#store.bytes.subarray(0, used));
    this.#store = store;
  }
}

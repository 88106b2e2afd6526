/** How much larger than all recent files a buffer may be before it is given back. */
const SLACK = 4;
const FILES_REMEMBERED = 4;

/** How large a buffer that is used for one file after another should be. */
export class Capacity {
  readonly #least: number;
  readonly #used: number[] = new Array<number>(FILES_REMEMBERED).fill(0);
  #next = 0;

  /** `least`: a buffer is never made smaller. */
  constructor(least: number) {
    this.#least = least;
  }

  get least(): number {
    return this.#least;
  }

  /** A size, doubled from `current`, that holds `need`. */
  grown(current: number, need: number): number {
    let size = Math.max(current, this.#least);
    while (size < need) size *= 2;
    return size;
  }

  /** The size to have for the next file, after one that used `used` of `current`. */
  settled(current: number, used: number): number {
    this.#used[this.#next] = used;
    this.#next = (this.#next + 1) % FILES_REMEMBERED;
    const fitting = this.grown(this.#least, Math.max(...this.#used));
    return current > fitting * SLACK ? fitting : current;
  }
}

/** A copy in shared memory with room for `length` elements, keeping what fits. */
export function resized<T extends Uint8Array | Int32Array | Uint32Array>(array: T, length: number): T {
  const type = array.constructor as (new (shared: SharedArrayBuffer) => T) & { BYTES_PER_ELEMENT: number };
  const copy = new type(new SharedArrayBuffer(length * type.BYTES_PER_ELEMENT));
  copy.set(array.subarray(0, length));
  return copy;
}

import { DataKey, Piece } from './data-key.js';
import { Layout } from './envelope.js';
import type { Keyring } from './keyring.js';
import { Slot } from './slot.js';

/** What opens the frames of a sealed file, however they are read. */
export class OpenedFrames {
  readonly layout: Layout;
  readonly #key: DataKey;

  /**
   * `header` is of `SLOT_BYTES`, `size` the length of the file; `what` is how errors call it.
   * @throws KEY_MISSING, KEY_WRONG, Unsound for what was not sealed so
   */
  constructor(header: Buffer, size: number, keyring: Keyring, what: string) {
    this.layout = new Layout(size);
    this.#key = new DataKey(keyring.unwrap(Slot.of(header), what));
  }

  /** @throws Unsound if it is not what was written as this frame */
  open(sealed: Uint8Array, number: number): Buffer {
    const last = number === this.layout.frames - 1;
    return this.#key.open(sealed, number, last ? Piece.lastFrame : Piece.frame);
  }
}

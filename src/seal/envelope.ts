/**
 * A sealed file: a slot, then frames, each 64 KiB of the file and the last one the rest (empty only if the file is), sealed
 * by the data key with its number from 0 on and whether it is the last one.
 *
 * Invariant: it is written once and never changed. What a frame opens to is what was written at this place of this file,
 * and if the last frame opens, nothing is missing at the end.
 */
import { SEAL_BYTES } from './data-key.js';
import { SLOT_BYTES } from './slot.js';
import { Unsound } from './unsound.js';

/** Follows the name that the file has when it is opened. */
export const SEALED_SUFFIX = '.enc';

export const FRAME_BYTES = 64 * 1024;
const SEALED_FRAME_BYTES = FRAME_BYTES + SEAL_BYTES;

export interface FramePlace {
  /** In the sealed file. */
  readonly position: number;
  readonly length: number;
}

/** Where the frames of a sealed file lie. */
export class Layout {
  /** At least one. */
  readonly frames: number;
  /** Of what is sealed. */
  readonly byteLength: number;
  readonly #end: number;

  /** @throws Unsound for a length that no sealed file has */
  constructor(sealedLength: number) {
    const body = sealedLength - SLOT_BYTES;
    this.frames = Math.ceil(body / SEALED_FRAME_BYTES);
    this.byteLength = body - this.frames * SEAL_BYTES;
    this.#end = sealedLength;
    // The last frame has contents, unless it is the only one.
    const rest = this.byteLength - (this.frames - 1) * FRAME_BYTES;
    if (body < SEAL_BYTES || rest < (this.frames === 1 ? 0 : 1))
      throw new Unsound(`${sealedLength} bytes are no length of an encrypted file`);
  }

  frame(number: number): FramePlace {
    const position = SLOT_BYTES + number * SEALED_FRAME_BYTES;
    return { position, length: Math.min(SEALED_FRAME_BYTES, this.#end - position) };
  }
}

import type { ByteSource } from './byte-source.js';
import { FRAME_BYTES } from './envelope.js';
import type { Keyring } from './keyring.js';
import { OpenedFrames } from './opened-frames.js';
import { SLOT_BYTES } from './slot.js';
import { Unsound } from './unsound.js';

/** Frames kept of one file: those that its columns are just read in. */
const KEPT_FRAMES = 16;

/** What a sealed file holds, read anywhere. Its end is looked at when it is opened, every frame when it is read. */
export class OpenedBytes implements ByteSource {
  readonly byteLength: number;
  readonly #source: ByteSource;
  readonly #opener: OpenedFrames;
  /** By number, the one used last at the end. */
  readonly #frames = new Map<number, Promise<Buffer>>();

  private constructor(source: ByteSource, opener: OpenedFrames) {
    this.#source = source;
    this.#opener = opener;
    this.byteLength = opener.layout.byteLength;
  }

  /**
   * `what` is how errors call it.
   * @throws KEY_MISSING, KEY_WRONG, Unsound for what was not sealed so, and what the source throws
   */
  static async open(source: ByteSource, keyring: Keyring, what: string): Promise<OpenedBytes> {
    const header = Buffer.alloc(Math.min(SLOT_BYTES, source.byteLength));
    await source.read(header, 0);
    const opened = new OpenedBytes(source, new OpenedFrames(header, source.byteLength, keyring, what));
    await opened.#frame(opened.#opener.layout.frames - 1);
    return opened;
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    const end = position + into.length;
    if (end > this.byteLength) throw new Unsound(`it ends at ${this.byteLength}, before ${end}`);
    for (let done = 0; done < into.length; ) {
      const at = position + done;
      const number = Math.floor(at / FRAME_BYTES);
      const frame = await this.#frame(number);
      const start = at - number * FRAME_BYTES;
      const piece = frame.subarray(start, start + into.length - done);
      into.set(piece, done);
      done += piece.length;
    }
  }

  #frame(number: number): Promise<Buffer> {
    const frame = this.#frames.get(number) ?? this.#open(number);
    this.#frames.delete(number);
    this.#frames.set(number, frame);
    if (this.#frames.size > KEPT_FRAMES) {
      const [eldest] = this.#frames.keys();
      this.#frames.delete(eldest);
    }
    return frame;
  }

  async #open(number: number): Promise<Buffer> {
    const { position, length } = this.#opener.layout.frame(number);
    const sealed = Buffer.allocUnsafe(length);
    await this.#source.read(sealed, position);
    return this.#opener.open(sealed, number);
  }
}

import { Unsound } from './unsound.js';

/** Bytes at rest. */
export interface ByteSource {
  readonly byteLength: number;
  /** Fills `into` with the bytes from `position` on. @throws Unsound if they end before, and what the system says */
  read(into: Uint8Array, position: number): Promise<void>;
}

/** What of a `FileHandle` is used. */
export interface ReadableHandle {
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
}

/** A file as it is stored. */
export class StoredBytes implements ByteSource {
  readonly byteLength: number;
  readonly #handle: ReadableHandle;

  constructor(handle: ReadableHandle, byteLength: number) {
    this.#handle = handle;
    this.byteLength = byteLength;
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const { bytesRead } = await this.#handle.read(into, done, into.length - done, position + done);
      if (bytesRead === 0)
        throw new Unsound(`it became shorter while it was read: it ends at ${position + done}`);
      done += bytesRead;
    }
  }
}

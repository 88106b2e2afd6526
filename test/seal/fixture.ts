import { type ByteSource, StoredBytes } from '../../src/seal/byte-source.js';
import { FRAME_BYTES } from '../../src/seal/envelope.js';
import type { Keyring } from '../../src/seal/keyring.js';
import { OpenedBytes } from '../../src/seal/opened-bytes.js';
import { sealed } from '../../src/seal/sealing.js';
import { SLOT_BYTES } from '../../src/seal/slot.js';

export const SEALED_FRAME_BYTES = FRAME_BYTES + 28;

/** Bytes that are nowhere the same for long. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function seal(bytes: Uint8Array, keyring: Keyring): Buffer {
  const pieces: Buffer[] = [];
  for (const piece of sealed(bytes, keyring)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** A file in memory, which lists the places that were read of it. */
export class MemorySource implements ByteSource {
  readonly byteLength: number;
  readonly reads: number[] = [];
  readonly #stored: StoredBytes;

  constructor(bytes: Uint8Array) {
    this.byteLength = bytes.length;
    this.#stored = new StoredBytes(
      {
        read: async (buffer, offset, length, position) => {
          this.reads.push(position);
          // A disk may give less than it was asked for.
          const piece = bytes.subarray(position, position + Math.min(length, 50_000));
          buffer.set(piece, offset);
          return { bytesRead: piece.length };
        },
      },
      bytes.length,
    );
  }

  read(into: Uint8Array, position: number): Promise<void> {
    return this.#stored.read(into, position);
  }
}

export function opened(file: Uint8Array, keyring: Keyring): Promise<OpenedBytes> {
  return OpenedBytes.open(new MemorySource(file), keyring, 'the file');
}

/** All that is in a sealed file. */
export async function unsealed(file: Uint8Array, keyring: Keyring): Promise<Buffer> {
  const source = await opened(file, keyring);
  const bytes = Buffer.alloc(source.byteLength);
  await source.read(bytes, 0);
  return bytes;
}

/** The frames of a sealed file, as they are stored. */
export function frames(file: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = SLOT_BYTES; at < file.length; at += SEALED_FRAME_BYTES) {
    found.push(file.subarray(at, at + SEALED_FRAME_BYTES));
  }
  return found;
}

/**
 * A sealed log, for what grows by appending: a slot, then entries, each
 *
 *     length u32 | crc u32 | nonce, contents and tag, `length` bytes
 *
 * sealed by the data key with its number from 0 on. Only the contents of all of them together mean something. The crc (of zlib) is of what is sealed, and secures nothing: an entry
 * whose crc does not hold was not written whole or was damaged, and the log ends before it; one whose crc holds and that
 * does not open was changed by somebody, or put there from elsewhere.
 */
import { crc32 } from 'node:zlib';
import { DataKey, Piece, SEAL_BYTES } from './data-key.js';
import type { Keyring } from './keyring.js';
import { SLOT_BYTES, Slot } from './slot.js';
import { Unsound } from './unsound.js';

const HEAD_BYTES = 8;
/** By how much an entry is longer than its contents. */
export const ENTRY_BYTES = HEAD_BYTES + SEAL_BYTES;
/** Of the contents of one. Larger ones take memory from afar, and a torn one more with it. */
const MOST_BYTES = 64 * 1024;

/** Seals the entries of one log. */
export class LogSealer {
  /** Stands before them. */
  readonly header: Buffer;
  readonly #key: DataKey;
  readonly #entry = Buffer.allocUnsafe(MOST_BYTES + ENTRY_BYTES);
  #entries = 0;

  /** Under a new data key. @throws KEY_MISSING */
  constructor(keyring: Keyring) {
    const { dataKey, slot } = keyring.newDataKey();
    this.header = slot.bytes;
    this.#key = new DataKey(dataKey);
  }

  /** The next entries, with what `parts` are together; each valid until the next. */
  *entries(parts: readonly Uint8Array[]): Generator<Buffer, void> {
    for (const some of cut(parts)) {
      const sealed = this.#entry.subarray(HEAD_BYTES);
      const length = this.#key.seal(some, this.#entries++, Piece.entry, sealed);
      this.#entry.writeUInt32LE(length, 0);
      this.#entry.writeUInt32LE(crc32(sealed.subarray(0, length)), 4);
      yield this.#entry.subarray(0, HEAD_BYTES + length);
    }
  }
}

/** The same bytes, `MOST_BYTES` at a time. */
function* cut(parts: readonly Uint8Array[]): Generator<Uint8Array[], void> {
  let some: Uint8Array[] = [];
  let room = MOST_BYTES;
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const piece = part.subarray(at, at + room);
      some.push(piece);
      at += piece.length;
      room -= piece.length;
      if (room > 0) continue;
      yield some;
      some = [];
      room = MOST_BYTES;
    }
  }
  if (some.length > 0) yield some;
}

export interface OpenedLog {
  /** Of all entries that are whole, one behind the other. */
  readonly contents: Buffer;
  /** Bytes behind them in the log. */
  readonly rest: number;
  /** Why the next one is not what was written; `null`: it is not whole, or there is none. */
  readonly tampered: string | null;
}

/**
 * `what` is how errors call it.
 * @throws KEY_MISSING, KEY_WRONG, Unsound for what does not begin as a sealed log does
 */
export function openLog(log: Buffer, keyring: Keyring, what: string): OpenedLog {
  const key = new DataKey(keyring.unwrap(Slot.of(log), what));
  const contents: Buffer[] = [];
  let at = SLOT_BYTES;
  let tampered: string | null = null;
  while (at + HEAD_BYTES <= log.length) {
    const start = at + HEAD_BYTES;
    const end = start + log.readUInt32LE(at);
    if (end < start + SEAL_BYTES || end > log.length) break;
    const sealed = log.subarray(start, end);
    if (log.readUInt32LE(at + 4) !== crc32(sealed)) break;
    try {
      contents.push(key.open(sealed, contents.length, Piece.entry));
    } catch (error) {
      if (!(error instanceof Unsound)) throw error;
      tampered = error.message;
      break;
    }
    at = end;
  }
  return { contents: Buffer.concat(contents), rest: log.length - at, tampered };
}

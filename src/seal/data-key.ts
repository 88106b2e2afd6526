/** The key of one file or journal segment, and what is sealed with it. */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { Unsound } from './unsound.js';

export const KEY_BYTES = 32;
const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** By how much sealing makes bytes longer. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

/** What a piece is to what it belongs to; stored nowhere, and authenticated with it. */
export const Piece = { frame: 0, lastFrame: 1, entry: 2 } as const;
export type Piece = (typeof Piece)[keyof typeof Piece];

/**
 * Seals pieces as nonce | ciphertext | tag. The nonce is random, so that nothing that is written again after a
 * failure can use one twice; 2^32 pieces a key are safe. Number and kind of a piece are authenticated: one in
 * another's place does not open, nor does one of another key.
 */
export class DataKey {
  readonly #key: KeyObject;
  readonly #place = Buffer.alloc(9);

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /**
   * Seals what `parts` are together into the beginning of `into`, which is used again: fresh memory costs more than the
   * cipher. `number` is below 2^53. The number of bytes.
   */
  seal(parts: readonly Uint8Array[], number: number, kind: Piece, into: Buffer): number {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(this.#placeOf(number, kind));
    let at = nonce.copy(into);
    for (const part of parts) at += cipher.update(part).copy(into, at);
    cipher.final();
    return at + cipher.getAuthTag().copy(into, at);
  }

  /** @throws Unsound if it is not what was sealed with this key, number and kind */
  open(sealed: Uint8Array, number: number, kind: Piece): Buffer {
    const end = sealed.length - TAG_BYTES;
    if (end < NONCE_BYTES) throw new Unsound(`piece ${number} is too short to be sealed`);
    const decipher = createDecipheriv(ALGORITHM, this.#key, sealed.subarray(0, NONCE_BYTES))
      .setAAD(this.#placeOf(number, kind))
      .setAuthTag(sealed.subarray(end));
    const bytes = decipher.update(sealed.subarray(NONCE_BYTES, end));
    try {
      decipher.final();
    } catch (cause) {
      throw new Unsound(`piece ${number} is not what was written, or not in its place`, { cause });
    }
    return bytes;
  }

  #placeOf(number: number, kind: Piece): Buffer {
    this.#place.writeUInt32LE(number % 2 ** 32, 0);
    this.#place.writeUInt32LE(Math.floor(number / 2 ** 32), 4);
    this.#place[8] = kind;
    return this.#place;
  }
}

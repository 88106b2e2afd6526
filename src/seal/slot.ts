/**
 * A data key as it stands before what it seals, wrapped by one of the keys of the configuration; all little-endian:
 *
 *   0  magic "MQSEAL", u16 version
 *   8  u8 length of the id, id (filled up with zeros)
 *  76  nonce, 88 wrapped data key, 120 tag (AES-256-GCM; 0 to 75 are authenticated)
 * 136  u32 CRC-32 of 0 to 135
 *
 * Invariant: a slot whose CRC holds is one that was written whole. If its id is known and it does not open, the key is
 * another one than it was wrapped by; if its CRC does not hold, it is torn or damaged and counts for nothing.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { KEY_BYTES } from './data-key.js';
import { Unsound } from './unsound.js';

export const SLOT_BYTES = 140;
const MAGIC = 'MQSEAL';
const VERSION = 1;
const VERSION_AT = 6;
const ID_LENGTH_AT = 8;
const ID_AT = 9;
const NONCE_AT = 76;
const WRAPPED_AT = 88;
const TAG_AT = 120;
const CRC_AT = 136;
const ALGORITHM = 'aes-256-gcm';

/** What a key may be called. */
export const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/;

export class Slot {
  readonly bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  static wrap(dataKey: Uint8Array, id: string, key: KeyObject): Slot {
    const bytes = Buffer.alloc(SLOT_BYTES);
    bytes.write(MAGIC, 'latin1');
    bytes.writeUInt16LE(VERSION, VERSION_AT);
    bytes[ID_LENGTH_AT] = id.length;
    bytes.write(id, ID_AT, 'latin1');
    const nonce = randomBytes(WRAPPED_AT - NONCE_AT);
    const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(bytes.subarray(0, NONCE_AT));
    nonce.copy(bytes, NONCE_AT);
    cipher.update(dataKey).copy(bytes, WRAPPED_AT);
    cipher.final();
    cipher.getAuthTag().copy(bytes, TAG_AT);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, CRC_AT)), CRC_AT);
    return new Slot(bytes);
  }

  /** The slot that `bytes` begin with. @throws Unsound if there is none that is whole, or one of a later version */
  static of(bytes: Buffer): Slot {
    const whole =
      bytes.length >= SLOT_BYTES &&
      bytes.toString('latin1', 0, MAGIC.length) === MAGIC &&
      bytes.readUInt32LE(CRC_AT) === crc32(bytes.subarray(0, CRC_AT));
    if (!whole) throw new Unsound('it does not begin as what is encrypted does');
    const version = bytes.readUInt16LE(VERSION_AT);
    if (version !== VERSION)
      throw new Unsound(`it is sealed in format ${version}, and ${VERSION} is known here`);
    return new Slot(bytes.subarray(0, SLOT_BYTES));
  }

  /** Of the key that wraps. */
  get id(): string {
    return this.bytes.toString('latin1', ID_AT, ID_AT + Math.min(this.bytes[ID_LENGTH_AT], NONCE_AT - ID_AT));
  }

  /** The data key; `null` if `key` is another one than it was wrapped by. */
  unwrap(key: KeyObject): Buffer | null {
    const decipher = createDecipheriv(ALGORITHM, key, this.bytes.subarray(NONCE_AT, WRAPPED_AT))
      .setAAD(this.bytes.subarray(0, NONCE_AT))
      .setAuthTag(this.bytes.subarray(TAG_AT, CRC_AT));
    const dataKey = decipher.update(this.bytes.subarray(WRAPPED_AT, WRAPPED_AT + KEY_BYTES));
    try {
      decipher.final();
      return dataKey;
    } catch {
      return null;
    }
  }
}

/**
 * A segment of a journal: a header, then blocks.
 *
 *     magic u32 | crc u32 | format u32 | number u32 | key before f64
 *
 * The crc is of what is behind it. One segment belongs to one batch: it is removed when the file that holds the batch's
 * rows is committed. The key is that of the last row before the batch, if no file with it was known to be there when the
 * segment began, else 0: of two segments that were not synced a power cut may take the first one only, and that shows. One that is encrypted is a sealed log, whose entries are the header and the blocks.
 */
import { crc32 } from 'node:zlib';
import type { Keyring } from '../../seal/keyring.js';
import { ENTRY_BYTES, openLog } from '../../seal/log.js';
import { isSealedName } from '../../seal/offered.js';
import { SLOT_BYTES } from '../../seal/slot.js';
import { Unsound } from '../../seal/unsound.js';

const MAGIC = 0x4a514d53;
const FORMAT = 2;
export const SEGMENT_HEADER_BYTES = 24;
/** Those before the first block of an encrypted one. */
const SEALED_HEADER_BYTES = SLOT_BYTES + ENTRY_BYTES + SEGMENT_HEADER_BYTES;

export function segmentHeader(number: number, keyBefore: number): Uint8Array {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(FORMAT, 8);
  header.writeUInt32LE(number, 12);
  header.writeDoubleLE(keyBefore, 16);
  header.writeUInt32LE(crc32(header.subarray(8)), 4);
  return header;
}

/** Whether the bytes begin as segment `number` does. */
export function isSegment(bytes: Uint8Array, number: number): boolean {
  if (bytes.length < SEGMENT_HEADER_BYTES) return false;
  const header = bytes.subarray(0, SEGMENT_HEADER_BYTES);
  return Buffer.compare(header, segmentHeader(number, keyBefore(bytes))) === 0;
}

/** Of a segment. */
export function keyBefore({ buffer, byteOffset }: Uint8Array): number {
  return new DataView(buffer, byteOffset).getFloat64(16, true);
}

/** Whether a file of this name is too short to be one, as a crash may leave it. */
export function isHeaderTorn(name: string, stored: Uint8Array): boolean {
  return stored.length < (isSealedName(name) ? SEALED_HEADER_BYTES : SEGMENT_HEADER_BYTES);
}

export interface SegmentBytes {
  readonly bytes: Uint8Array;
  /** Bytes of the file that are not among them. */
  readonly rest: number;
  /** Why an entry is not what was written, although it is whole; null: there is none such. */
  readonly tampered: string | null;
}

/**
 * A segment as it was before it was encrypted, if it was; nothing if it does not begin as one.
 * @throws KEY_MISSING, KEY_WRONG
 */
export function segmentBytes(path: string, stored: Buffer, keyring: Keyring): SegmentBytes {
  if (!isSealedName(path)) return { bytes: stored, rest: 0, tampered: null };
  try {
    const { contents, rest, tampered } = openLog(stored, keyring, path);
    return { bytes: contents, rest, tampered };
  } catch (error) {
    if (!(error instanceof Unsound)) throw error;
    return { bytes: stored.subarray(0, 0), rest: stored.length, tampered: null };
  }
}

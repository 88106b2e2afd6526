/**
 * A segment of a journal: a header, then blocks.
 *
 *     magic u32 | crc u32 | format u32 | number u32
 *
 * The crc is of what is behind it. One segment belongs to one batch: it is removed when the file that holds the batch's
 * rows is committed.
 */
import { crc32 } from 'node:zlib';

const MAGIC = 0x4a514d53;
const FORMAT = 1;
export const SEGMENT_HEADER_BYTES = 16;

export function segmentHeader(number: number): Uint8Array {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(FORMAT, 8);
  header.writeUInt32LE(number, 12);
  header.writeUInt32LE(crc32(header.subarray(8)), 4);
  return header;
}

/** Whether the bytes begin as segment `number` does. */
export function isSegment(bytes: Uint8Array, number: number): boolean {
  return Buffer.compare(bytes.subarray(0, SEGMENT_HEADER_BYTES), segmentHeader(number)) === 0;
}

/**
 * A block of a journal: some rows of a batch, column by column, as the batch has them. Numbers are little-endian, every
 * part begins at a multiple of 4.
 *
 *     magic u32 | crc u32 | bytes of the rest u32 | segment u32 | index u32
 *     rows u32 | names u32 | words of heads u32 | bytes of properties u32 | bytes of payload u32
 *     hashes u32[names] | lengths u32[names] | client u8[names] | heads u32[words]
 *     keys i64[rows] | codes u32[rows] | metas u8[rows]
 *     offsets of properties i32[rows + 1], properties        only if there are any
 *     offsets of payload i32[rows + 1], payload, zeros up to a multiple of 4
 *
 * Names (pairs of topic and client id) are numbered over the segment, in the order in which they first come; a block
 * has those that are new in it. Offsets count from anywhere: only their differences tell.
 *
 * Invariant: the crc (of zlib) is of all bytes behind it, the segment's number and the block's index among them. So a block that
 * reads well is whole, of this segment, and behind the one before it: what was written stops at the first that does not.
 */
import { crc32 } from 'node:zlib';
import type { BatchColumns } from '../batch.js';
import type { BinaryView } from '../binary.js';
import { Capacity } from '../capacity.js';

export const MAGIC = 0x314b4c42;
export const HEADER_BYTES = 40;
/** Where the crc begins to count. */
export const CHECKED_FROM = 8;

export const META_QOS = 0b11;
export const META_RETAIN = 1 << 2;
export const META_NO_CLIENT = 1;

const PAD = Buffer.alloc(3);

/** A payload that is longer is written from where it lies; a shorter one costs less as a part of the block. */
const COPIED_BYTES = 16 * 1024;

/** What of a batch is in a journal already. */
export interface Written {
  readonly rows: number;
  readonly names: number;
}

/** Makes blocks in one buffer, which serves for all of them. */
export class BlockMaker {
  #buffer = Buffer.alloc(4096);
  readonly #capacity = new Capacity(4096);
  #at = 0;

  /** The rows from `written` on, as the pieces of a block; valid until the next call. */
  make(columns: BatchColumns, written: Written, segment: number, index: number): Uint8Array[] {
    const { names, records } = columns;
    const rows = columns.rows - written.rows;
    const newNames = names - written.names;
    const heads = records.heads.subarray(records.starts[written.names], records.starts[names]);
    const properties = tail(columns.properties, written.rows, columns.rows);
    const payload = tail(columns.payload, written.rows, columns.rows);
    const copied = payload.data.length <= COPIED_BYTES;
    this.#reserve(
      HEADER_BYTES +
        align4(newNames * 9) +
        heads.byteLength +
        align4(rows * 13) +
        (rows + 1) * 8 +
        align4(properties.data.length) +
        (copied ? align4(payload.data.length) : 0),
    );

    this.#at = HEADER_BYTES;
    this.#put(records.hashes.subarray(written.names, names));
    this.#put(records.lengths.subarray(written.names, names));
    for (let code = written.names; code < names; code++) {
      this.#byte(isSet(columns.clients.nullBitmap!, code) ? 0 : META_NO_CLIENT);
    }
    this.#align();
    this.#put(heads);
    this.#put(columns.keys.subarray(written.rows));
    this.#put(columns.codes.subarray(written.rows));
    const { qos, retain } = columns;
    for (let row = written.rows; row < columns.rows; row++) {
      this.#byte((qos[row] & META_QOS) | (isSet(retain, row) ? META_RETAIN : 0));
    }
    this.#align();
    if (properties.data.length > 0) {
      this.#put(properties.valueOffsets);
      this.#put(properties.data);
      this.#align();
    }
    this.#put(payload.valueOffsets);
    if (copied) this.#put(payload.data);
    if (copied) this.#align();

    const head = this.#buffer.subarray(0, this.#at);
    const pieces = copied ? [head] : [head, payload.data, PAD.subarray(0, -payload.data.length & 3)];
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0) - HEADER_BYTES;
    let at = head.writeUInt32LE(MAGIC, 0) + 4;
    for (const word of [
      bytes,
      segment,
      index,
      rows,
      newNames,
      heads.length,
      properties.data.length,
      payload.data.length,
    ]) {
      at = head.writeUInt32LE(word, at);
    }
    let checked = crc32(head.subarray(CHECKED_FROM));
    for (const piece of pieces.slice(1)) checked = crc32(piece, checked);
    head.writeUInt32LE(checked, 4);
    return pieces;
  }

  #put({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
    this.#buffer.set(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength), this.#at);
    this.#at += byteLength;
  }

  #byte(value: number): void {
    this.#buffer[this.#at++] = value;
  }

  #align(): void {
    while (this.#at & 3) this.#byte(0);
  }

  #reserve(need: number): void {
    const { length } = this.#buffer;
    if (need > length) this.#buffer = Buffer.alloc(this.#capacity.grown(length, need));
  }
}

function isSet(bits: Uint8Array, at: number): boolean {
  return (bits[at >> 3] & (1 << (at & 7))) !== 0;
}

/** Of a column's rows `from..to`: their offsets and their bytes. */
function tail({ valueOffsets, data }: BinaryView, from: number, to: number): BinaryView {
  const offsets = valueOffsets.subarray(from, to + 1);
  return {
    valueOffsets: offsets,
    data: data.subarray(offsets[0], offsets[to - from]),
    nullBitmap: undefined,
  };
}

export function align4(bytes: number): number {
  return (bytes + 3) & ~3;
}

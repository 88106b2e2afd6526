import { crc32 } from 'node:zlib';
import { emptyParts, type RecordParts } from '../../ring/record.js';
import type { ByteStore } from '../bytes.js';
import { align4, CHECKED_FROM, HEADER_BYTES, MAGIC, META_NO_CLIENT, META_QOS, META_RETAIN } from './block.js';

/** A pair of topic and client id, where it stands. */
interface Name {
  readonly at: number;
  readonly hash: number;
  readonly topicBytes: number;
  readonly clientBytes: number;
  readonly noClient: boolean;
}

/** The rows of one segment, out of its bytes; they become rows of a batch without being decoded. */
export class BlockReader {
  readonly memory: ByteStore;
  readonly #view: DataView;
  readonly #segment: number;
  readonly #names: Name[] = [];
  readonly #parts = emptyParts();
  #at: number;
  #index = 0;

  /** `bytes` begin at a multiple of 4 of their buffer; the first block stands at `from`, which is one, too. */
  constructor(bytes: Uint8Array, from: number, segment: number) {
    const { buffer, byteOffset, byteLength } = bytes;
    this.memory = { bytes, words: new Int32Array(buffer as ArrayBuffer, byteOffset, byteLength >> 2) };
    this.#view = new DataView(buffer, byteOffset, byteLength);
    this.#segment = segment;
    this.#at = from;
  }

  /** Where the bytes end. */
  get end(): number {
    return this.#view.byteLength;
  }

  /** Where the first block stands that was not read. */
  get at(): number {
    return this.#at;
  }

  /** Gives each row of the next block, whose parts are those of a record in `memory`. False: there is none that is whole. */
  next(take: (parts: RecordParts) => void): boolean {
    const view = this.#view;
    const start = this.#at;
    if (start + HEADER_BYTES > view.byteLength || this.#word(0) !== MAGIC) return false;
    const end = start + HEADER_BYTES + this.#word(2);
    if (end > view.byteLength || this.#word(3) !== this.#segment || this.#word(4) !== this.#index)
      return false;
    if (crc32(this.memory.bytes.subarray(start + CHECKED_FROM, end)) !== this.#word(1)) return false;
    const rows = this.#word(5);
    const names = this.#word(6);
    const propertyBytes = this.#word(8);
    const headsAt = this.#readNames(start + HEADER_BYTES, names);
    const keysAt = headsAt + this.#word(7) * 4;
    const codesAt = keysAt + rows * 8;
    const metasAt = codesAt + rows * 4;
    const propertiesAt = align4(metasAt + rows);
    const propertiesEnd = propertyBytes === 0 ? propertiesAt : propertiesAt + (rows + 1) * 4 + propertyBytes;
    const payloadAt = align4(propertiesEnd);
    const parts = this.#parts;
    for (let row = 0; row < rows; row++) {
      const name = this.#names[view.getUint32(codesAt + row * 4, true)];
      const meta = view.getUint8(metasAt + row);
      parts.key =
        view.getUint32(keysAt + row * 8, true) + view.getUint32(keysAt + row * 8 + 4, true) * 2 ** 32;
      parts.qos = meta & META_QOS;
      parts.retain = (meta & META_RETAIN) !== 0;
      parts.hash = name.hash;
      parts.noClient = name.noClient;
      parts.topicAt = name.at;
      parts.topicBytes = name.topicBytes;
      parts.clientBytes = name.clientBytes;
      parts.propsBytes = 0;
      if (propertyBytes > 0) {
        parts.propsAt = this.#place(propertiesAt, rows, row);
        parts.propsBytes = this.#place(propertiesAt, rows, row + 1) - parts.propsAt;
      }
      parts.payloadAt = this.#place(payloadAt, rows, row);
      parts.payloadBytes = this.#place(payloadAt, rows, row + 1) - parts.payloadAt;
      take(parts);
    }
    this.#at = end;
    this.#index++;
    return true;
  }

  /** Adds the names of a block; where their heads begin. */
  #readNames(at: number, count: number): number {
    const view = this.#view;
    const heads = align4(at + count * 9);
    let head = heads;
    for (let i = 0; i < count; i++) {
      const lengths = view.getUint32(at + (count + i) * 4, true);
      const topicBytes = lengths & 0xffff;
      const clientBytes = lengths >>> 16;
      const noClient = view.getUint8(at + count * 8 + i) === META_NO_CLIENT;
      this.#names.push({
        at: head,
        hash: view.getUint32(at + i * 4, true),
        topicBytes,
        clientBytes,
        noClient,
      });
      head += align4(topicBytes + clientBytes);
    }
    return heads;
  }

  /** Where row `row` of a column begins, whose `rows + 1` offsets stand at `at` and its bytes behind them. */
  #place(at: number, rows: number, row: number): number {
    const view = this.#view;
    return at + (rows + 1) * 4 + view.getInt32(at + row * 4, true) - view.getInt32(at, true);
  }

  #word(index: number): number {
    return this.#view.getUint32(this.#at + index * 4, true);
  }
}

import type { RecordParts } from '../ring/record.js';
import { BinaryColumn, type BinaryView } from './binary.js';
import { BitColumn } from './bits.js';
import type { ByteStore } from './bytes.js';
import { Capacity, resized } from './capacity.js';
import { NameDictionary, type NameRecords } from './names.js';

/** Bytes of a row's columns of fixed width: key 8, names' codes 2 x 4, qos 4, two offsets 8. */
export const ROW_BYTES = 28;

const TWO_32 = 2 ** 32;

/** Where a batch was, to go back to. */
export interface BatchMark {
  readonly rows: number;
  readonly rawBytes: number;
  readonly names: number;
  readonly lastKey: number;
}

/** The buffers of all columns; valid until the batch is written again. */
export interface BatchColumns {
  readonly rows: number;
  readonly keys: BigInt64Array;
  /** Codes into `topics` and `clients` alike. */
  readonly codes: Int32Array;
  readonly topics: BinaryView;
  readonly clients: BinaryView;
  readonly names: number;
  readonly records: NameRecords;
  readonly qos: Int32Array;
  readonly retain: Uint8Array;
  readonly properties: BinaryView;
  readonly payload: BinaryView;
}

/** The rows of one file to be, in Arrow's layout, in shared memory: another thread makes the file. Its buffers serve one file after another. */
export class Batch {
  #rows = 0;
  #rawBytes = 0;
  #firstKey = 0;
  #lastKey = 0;
  /** Rows there is room for. */
  #room = 0;
  /** Microseconds as two words, the low one first. */
  #keys = new Uint32Array(0);
  #codes = new Int32Array(0);
  #qos = new Int32Array(0);
  readonly #retain = new BitColumn();
  readonly #names = new NameDictionary();
  readonly #properties = new BinaryColumn(true);
  readonly #payload = new BinaryColumn(false);
  readonly #capacity = new Capacity(1024);

  get rows(): number {
    return this.#rows;
  }

  /** Size of the columns without compression: what the encoder has to take in. */
  get rawBytes(): number {
    return this.#rawBytes;
  }

  get firstKey(): number {
    return this.#firstKey;
  }

  get lastKey(): number {
    return this.#lastKey;
  }

  /** Makes room for `rows` more rows. */
  reserve(rows: number): void {
    const need = this.#rows + rows;
    if (need > this.#room) this.#resize(this.#capacity.grown(this.#room, need));
  }

  /** Copies a record out of a ring or a journal, as a row for which there is room. */
  append(memory: ByteStore, parts: RecordParts): void {
    const row = this.#rows;
    const { key } = parts;
    if (row === 0) this.#firstKey = key;
    this.#lastKey = key;
    const high = Math.floor(key / TWO_32);
    this.#keys[row * 2] = key - high * TWO_32;
    this.#keys[row * 2 + 1] = high;
    const names = this.#names.size;
    const code = this.#names.code(memory, parts);
    if (code === names) this.#rawBytes += parts.topicBytes + parts.clientBytes;
    this.#codes[row] = code;
    this.#qos[row] = parts.qos;
    this.#retain.set(row, parts.retain);
    if (parts.propsBytes === 0) this.#properties.putNull(row);
    else this.#properties.put(row, memory, parts.propsAt, parts.propsBytes);
    this.#payload.put(row, memory, parts.payloadAt, parts.payloadBytes);
    this.#rawBytes += ROW_BYTES + parts.propsBytes + parts.payloadBytes;
    this.#rows = row + 1;
  }

  mark(): BatchMark {
    return { rows: this.#rows, rawBytes: this.#rawBytes, names: this.#names.size, lastKey: this.#lastKey };
  }

  /** Forgets all rows and names added after the mark. */
  rollback(mark: BatchMark): void {
    this.#rows = mark.rows;
    this.#rawBytes = mark.rawBytes;
    this.#lastKey = mark.lastKey;
    this.#names.truncate(mark.names);
  }

  /** Empties it after a file. */
  clear(): void {
    const used = this.#rows;
    this.#properties.settle(used);
    this.#payload.settle(used);
    this.#names.clear();
    this.#rows = 0;
    this.#rawBytes = 0;
    const room = this.#capacity.settled(this.#room, used);
    if (room < this.#room) this.#resize(room);
  }

  columns(): BatchColumns {
    const rows = this.#rows;
    return {
      rows,
      keys: new BigInt64Array(this.#keys.buffer, 0, rows),
      codes: this.#codes.subarray(0, rows),
      topics: this.#names.topics(),
      clients: this.#names.clients(),
      names: this.#names.size,
      records: this.#names.records(),
      qos: this.#qos.subarray(0, rows),
      retain: this.#retain.view(rows),
      properties: this.#properties.view(rows),
      payload: this.#payload.view(rows),
    };
  }

  #resize(room: number): void {
    this.#keys = resized(this.#keys, room * 2);
    this.#codes = resized(this.#codes, room);
    this.#qos = resized(this.#qos, room);
    this.#retain.resize(room);
    this.#properties.resize(room);
    this.#payload.resize(room);
    this.#room = room;
  }
}

import type { RecordParts } from '../ring/record.js';
import { BinaryColumn, type BinaryView } from './binary.js';
import type { ByteStore } from './bytes.js';
import { Capacity, resized } from './capacity.js';

/** Names with equal hashes can be made on purpose; after so many steps a pair is added again instead. */
const MOST_PROBES = 32;

/** All pairs as they came from the ring. */
export interface NameRecords {
  readonly hashes: Uint32Array;
  /** Bytes of topic (low 16 bits) and client id. */
  readonly lengths: Int32Array;
  /** Topic and client id, with zeros up to whole words; `starts[code]..starts[code + 1]` is one. */
  readonly heads: Int32Array;
  readonly starts: Int32Array;
}

/**
 * The dictionary of one file: pairs of topic and client id. Both columns share the pair's number as their code, so
 * that a row costs one look-up. A topic of several clients stands there several times; Parquet's own dictionary
 * makes one of them.
 */
export class NameDictionary {
  readonly #topics = new BinaryColumn(false);
  readonly #clients = new BinaryColumn(true);
  #hashes = new Uint32Array(0);
  /** Lengths of topic (low 16 bits) and client id, as in the ring. */
  #lengths = new Int32Array(0);
  /** All pairs as they lie in the ring, in words, for comparing; `#starts[code]` is where one begins. */
  #heads = new Int32Array(0);
  #starts = new Int32Array(1);
  /** Open addressing: code + 1, 0 for free. */
  #slots = new Int32Array(0);
  #size = 0;
  readonly #capacity = new Capacity(64);
  readonly #headRoom = new Capacity(1024);

  constructor() {
    this.#resize(this.#capacity.least);
  }

  /** Pairs in it; their codes are 0 to `size` - 1. */
  get size(): number {
    return this.#size;
  }

  /** The code of the names of a record in `memory`; a new one if they were not there. */
  code(memory: ByteStore, parts: RecordParts): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = start(parts.hash, mask);
    for (let probe = 0; probe < MOST_PROBES; probe++) {
      const code = slots[slot] - 1;
      if (code < 0) break;
      if (this.#hashes[code] === parts.hash && this.#equals(code, memory, parts)) return code;
      slot = (slot + 1) & mask;
    }
    return this.#add(memory, parts);
  }

  /** Forgets all codes from `size` on. */
  truncate(size: number): void {
    // The last one added stands behind none in its chain, so emptying its slot breaks no other's.
    while (this.#size > size) this.#release(--this.#size);
  }

  /** Empties it after a file. */
  clear(): void {
    const used = this.#size;
    this.#topics.settle(used);
    this.#clients.settle(used);
    this.#size = 0;
    this.#slots.fill(0);
    const heads = this.#heads.length;
    const headRoom = this.#headRoom.settled(heads, this.#starts[used]);
    if (headRoom < heads) this.#heads = new Int32Array(headRoom);
    const capacity = this.#hashes.length;
    const settled = this.#capacity.settled(capacity, used);
    if (settled < capacity) this.#resize(settled);
  }

  topics(): BinaryView {
    return this.#topics.view(this.#size);
  }

  /** Null for the broker's own. */
  clients(): BinaryView {
    return this.#clients.view(this.#size);
  }

  /** Valid until a name is added. */
  records(): NameRecords {
    return { hashes: this.#hashes, lengths: this.#lengths, heads: this.#heads, starts: this.#starts };
  }

  #equals(code: number, { words }: ByteStore, parts: RecordParts): boolean {
    if (this.#lengths[code] !== lengthsOf(parts) || this.#clients.isNull(code) !== parts.noClient)
      return false;
    const heads = this.#heads;
    const end = this.#starts[code + 1];
    let word = parts.topicAt >> 2;
    for (let i = this.#starts[code]; i < end; i++) if (heads[i] !== words[word++]) return false;
    return true;
  }

  #add(memory: ByteStore, parts: RecordParts): number {
    const { topicAt, topicBytes, clientBytes } = parts;
    const code = this.#size;
    if (code === this.#hashes.length) this.#resize(this.#capacity.grown(code, code + 1));
    this.#topics.put(code, memory, topicAt, topicBytes);
    if (parts.noClient) this.#clients.putNull(code);
    else this.#clients.put(code, memory, topicAt + topicBytes, clientBytes);
    this.#hashes[code] = parts.hash;
    this.#lengths[code] = lengthsOf(parts);
    this.#addHead(code, memory, topicAt >> 2, (topicBytes + clientBytes + 3) >> 2);
    this.#size++;
    this.#claim(code);
    return code;
  }

  /** The ring fills a record's head with zeros up to whole words. */
  #addHead(code: number, { words }: ByteStore, word: number, count: number): void {
    const start = this.#starts[code];
    const end = start + count;
    if (end > this.#heads.length)
      this.#heads = resized(this.#heads, this.#headRoom.grown(this.#heads.length, end));
    this.#heads.set(words.subarray(word, word + count), start);
    this.#starts[code + 1] = end;
  }

  #resize(capacity: number): void {
    this.#hashes = resized(this.#hashes, capacity);
    this.#lengths = resized(this.#lengths, capacity);
    this.#starts = resized(this.#starts, capacity + 1);
    this.#topics.resize(capacity);
    this.#clients.resize(capacity);
    this.#slots = new Int32Array(capacity * 2);
    for (let code = 0; code < this.#size; code++) this.#claim(code);
  }

  #claim(code: number): void {
    const slot = this.#find(code, 0);
    if (slot >= 0) this.#slots[slot] = code + 1;
  }

  #release(code: number): void {
    const slot = this.#find(code, code + 1);
    if (slot >= 0) this.#slots[slot] = 0;
  }

  /** The first slot within reach of `code` that holds `value`, or -1. */
  #find(code: number, value: number): number {
    const mask = this.#slots.length - 1;
    let slot = start(this.#hashes[code], mask);
    for (let probe = 0; probe < MOST_PROBES; probe++) {
      if (this.#slots[slot] === value) return slot;
      slot = (slot + 1) & mask;
    }
    return -1;
  }
}

function lengthsOf({ topicBytes, clientBytes }: RecordParts): number {
  return topicBytes | (clientBytes << 16);
}

function start(hash: number, mask: number): number {
  return (hash ^ (hash >>> 15)) & mask;
}

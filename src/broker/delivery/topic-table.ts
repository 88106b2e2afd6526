import { Topic } from './topic.js';

/** Longer ones are not remembered: what is remembered is bounded in bytes too. */
const MOST_BYTES = 256;
/** Of one generation. */
const MOST_TOPICS = 16_384;
/** A power of two. */
const SIGHTINGS = 65_536;

/**
 * The topics of recent messages, found by their bytes: a topic that comes again costs no string and no check (~40 ns).
 * It is remembered when it comes for the second time: those that come once leave nothing behind. Nor does a flood of
 * them drive out those in use: when a generation is full the older one is forgotten, and what is used moves into the
 * younger one.
 */
export class TopicTable {
  readonly #mostLevels: number;
  readonly #mostBytes: number;
  /** By hash; of two topics with the same hash the later one stays. */
  #young = new Map<number, Topic>();
  #old = new Map<number, Topic>();
  /** Hashes of topics that came once, at a place given by the hash. */
  readonly #sighted = new Int32Array(SIGHTINGS);
  #hash = 0;
  #ascii = true;

  /** Of a topic; MQTT's own bound is 65,535 bytes. */
  constructor(mostLevels: number, mostBytes = 65_535) {
    this.#mostLevels = mostLevels;
    this.#mostBytes = mostBytes;
  }

  /** Topics remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The topic whose name is `length` bytes of `bytes` from `at` on; it may have a fault. */
  read(bytes: Buffer, at: number, length: number): Topic {
    this.#look(bytes, at, length);
    const hash = this.#hash;
    const young = this.#young.get(hash);
    if (young !== undefined && isAt(young, bytes, at, length)) return young;
    const old = this.#old.get(hash);
    if (old !== undefined && isAt(old, bytes, at, length)) return this.#keep(hash, old);
    const utf8 = new Uint8Array(length);
    for (let i = 0; i < length; i++) utf8[i] = bytes[at + i];
    const name = bytes.toString(this.#ascii ? 'latin1' : 'utf8', at, at + length);
    const topic = new Topic(name, utf8, this.#ascii, this.#mostLevels, this.#mostBytes);
    const place = hash & (SIGHTINGS - 1);
    if (this.#sighted[place] === hash && length <= MOST_BYTES) return this.#keep(hash, topic);
    this.#sighted[place] = hash;
    return topic;
  }

  named(name: string): Topic {
    const utf8 = Buffer.from(name, 'utf8');
    return this.read(utf8, 0, utf8.length);
  }

  #keep(hash: number, topic: Topic): Topic {
    if (this.#young.size >= MOST_TOPICS) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(hash, topic);
    return topic;
  }

  /** FNV-1a, as a small integer: a larger one would be a number on the heap. */
  #look(bytes: Buffer, at: number, length: number): void {
    let hash = 0x811c9dc5;
    let all = 0;
    for (let i = at; i < at + length; i++) {
      const byte = bytes[i];
      all |= byte;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    this.#hash = (hash ^ (hash >>> 15)) & 0x3fffffff;
    this.#ascii = all < 0x80;
  }
}

/** Whether a topic's name stands at `at`. */
export function isAt({ utf8 }: Topic, bytes: Uint8Array, at: number, length: number): boolean {
  if (utf8.length !== length) return false;
  for (let i = 0; i < length; i++) if (utf8[i] !== bytes[at + i]) return false;
  return true;
}

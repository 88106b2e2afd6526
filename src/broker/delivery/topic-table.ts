import { Topic } from './topic.js';

/** Longer ones are not remembered: what is remembered is bounded in bytes too. */
const MOST_BYTES = 256;
/** Of one generation. */
const MOST_TOPICS = 16_384;

/**
 * The topics of recent messages, found by their bytes: a topic that comes again costs no string and no check (~40 ns).
 * A flood of random topics does not fill the memory, nor does it drive out those in use: when a generation is full
 * the older one is forgotten, and what is used moves into the younger one.
 */
export class TopicTable {
  readonly #mostLevels: number;
  /** By hash; of two topics with the same hash the later one stays. */
  #young = new Map<number, Topic>();
  #old = new Map<number, Topic>();

  constructor(mostLevels: number) {
    this.#mostLevels = mostLevels;
  }

  /** Topics remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The topic whose name is `length` bytes of `bytes` from `at` on; it may have a fault. */
  read(bytes: Uint8Array, at: number, length: number): Topic {
    if (length > MOST_BYTES) return this.#make(bytes, at, length);
    const hash = hashOf(bytes, at, length);
    let topic = this.#young.get(hash);
    if (topic !== undefined && isAt(topic, bytes, at, length)) return topic;
    topic = this.#old.get(hash);
    if (topic === undefined || !isAt(topic, bytes, at, length)) topic = this.#make(bytes, at, length);
    if (this.#young.size >= MOST_TOPICS) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(hash, topic);
    return topic;
  }

  named(name: string): Topic {
    const utf8 = Buffer.from(name, 'utf8');
    return this.read(utf8, 0, utf8.length);
  }

  #make(bytes: Uint8Array, at: number, length: number): Topic {
    const utf8 = new Uint8Array(length);
    utf8.set(bytes.subarray(at, at + length));
    return new Topic(utf8, this.#mostLevels);
  }
}

/** Whether a topic's name stands at `at`. */
export function isAt({ utf8 }: Topic, bytes: Uint8Array, at: number, length: number): boolean {
  if (utf8.length !== length) return false;
  for (let i = 0; i < length; i++) if (utf8[i] !== bytes[at + i]) return false;
  return true;
}

/** FNV-1a, as a small integer: a larger one would be a number on the heap. */
function hashOf(bytes: Uint8Array, at: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = at; i < at + length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return hash & 0x3fffffff;
}

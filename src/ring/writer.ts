import { copyWords, type WordView } from './copy.js';
import {
  advance,
  align8,
  META_NO_CLIENT,
  META_PAD_SHIFT,
  META_QOS,
  META_RETAIN,
  type RingMemory,
  TAIL,
  WRITTEN,
} from './layout.js';
import type { Source } from './source.js';

/**
 * The writing side of a ring, on the broker's thread only.
 *
 * Sequences: `oldest <= reusable <= written` and `committed <= reusable`. Messages before `committed` are in files;
 * those before `reusable` may be overwritten at any time: they are committed or were given up by `makeRoom`.
 * `oldest` is the first one whose record still is in the memory.
 */
export class RingWriter {
  readonly memory: RingMemory;
  #written = 0;
  #committed = 0;
  #reusable = 0;
  #oldest = 0;
  /** What is known of TAIL; it may have moved on. */
  #tail = 0;
  /** Byte offset (growing without end) where the next record may start. */
  #offset = 0;
  /** `#offset % size`, kept because that costs 25 ns for a number beyond 2^31. */
  #position = 0;
  readonly #source: WordView = { buffer: null, words: null };

  constructor(memory: RingMemory) {
    this.memory = memory;
  }

  /** Sequence of the next message. */
  get written(): number {
    return this.#written;
  }

  /** First message that is not in a committed file. */
  get committed(): number {
    return this.#committed;
  }

  /** First message that is neither committed nor given up: from here on all are in the memory and in no file. */
  get reusable(): number {
    return this.#reusable;
  }

  /** First message whose record can still be read. */
  get oldest(): number {
    return this.#oldest;
  }

  /** Bytes of records that may not be overwritten. */
  get pendingBytes(): number {
    const { offsets, mask } = this.memory;
    return this.#reusable === this.#written ? 0 : this.#offset - offsets[this.#reusable & mask];
  }

  /** How full the ring is, 0 to 1: of its messages or of its bytes, whichever is more. */
  get share(): number {
    const { messages, size } = this.memory;
    return Math.max((this.#written - this.#reusable) / messages, this.pendingBytes / size);
  }

  /** Whether a record of these lengths can ever be held. */
  holds(source: Source, propsBytes: number, payloadBytes: number): boolean {
    return recordBytes(source, propsBytes, payloadBytes) <= this.memory.size;
  }

  /** Whether there is room without giving up a message that is in no file yet. */
  fits(source: Source, propsBytes: number, payloadBytes: number): boolean {
    const pending = this.#written - this.#reusable;
    if (pending === 0) return true;
    if (pending >= this.memory.messages) return false;
    const { offsets, mask, size } = this.memory;
    return this.#end(recordBytes(source, propsBytes, payloadBytes)) - offsets[this.#reusable & mask] <= size;
  }

  /**
   * Copies a message in and publishes it. The caller has asked `holds`, and `fits` or `makeRoom`.
   * `key` is greater than every key before it. ~100 ns for a payload of 64 bytes.
   */
  append(
    key: number,
    source: Source,
    qos: number,
    retain: boolean,
    props: Uint8Array | null,
    payload: Uint8Array,
  ): void {
    const memory = this.memory;
    const { mask, size } = memory;
    const propsBytes = props === null ? 0 : props.length;
    const payloadBytes = payload.length;
    const headBytes = source.head.length * 4;

    let offset = this.#offset;
    let position = this.#position;
    if (position + headBytes + propsBytes + payloadBytes + 7 > size) {
      offset += size - position;
      position = 0;
    }
    const pad = (payload.byteOffset - (position + headBytes + propsBytes)) & 7;
    const end = offset + align8(headBytes + propsBytes + pad + payloadBytes);
    this.#evict(end);

    const slot = this.#written & mask;
    memory.keys[slot] = key;
    memory.offsets[slot] = offset;
    memory.names[slot] = source.topicBytes | (source.clientBytes << 16);
    memory.hashes[slot] = source.hash;
    memory.props[slot] = propsBytes;
    memory.payloads[slot] = payloadBytes;
    memory.metas[slot] =
      (qos & META_QOS) |
      (retain ? META_RETAIN : 0) |
      (source.clientId === null ? META_NO_CLIENT : 0) |
      (pad << META_PAD_SHIFT);

    const { head } = source;
    const words = memory.words;
    const word = position >> 2;
    for (let i = 0; i < head.length; i++) words[word + i] = head[i];
    if (props !== null) memory.bytes.set(props, position + headBytes);
    copyWords(this.#source, payload, memory, position + headBytes + propsBytes + pad);

    this.#offset = end;
    position += end - offset;
    this.#position = position === size ? 0 : position;
    this.#written++;
    Atomics.store(memory.control, WRITTEN, this.#written | 0);
  }

  /** All messages before `sequence`, which were taken over, are in committed files: their slots may be reused. */
  commit(sequence: number): void {
    if (sequence > this.#committed) this.#committed = sequence;
    if (sequence > this.#reusable) this.#reusable = sequence;
  }

  /**
   * Makes room for a record by giving up the oldest messages, as `drop-oldest` says. `giveUp` is told each one's
   * key, and whether the recorder has taken it over: then it is not lost and will be in a file.
   */
  makeRoom(
    source: Source,
    propsBytes: number,
    payloadBytes: number,
    giveUp: (key: number, taken: boolean) => void,
  ): void {
    const { control, keys, mask } = this.memory;
    while (!this.fits(source, propsBytes, payloadBytes)) {
      const sequence = this.#reusable++;
      if (sequence >= this.#tail) this.#tail = advance(this.#tail, Atomics.load(control, TAIL));
      const taken =
        sequence < this.#tail ||
        Atomics.compareExchange(control, TAIL, sequence | 0, (sequence + 1) | 0) !== (sequence | 0);
      giveUp(keys[sequence & mask], taken);
    }
  }

  /** The byte offset where a record of at most `need` bytes would end. */
  #end(need: number): number {
    const { size } = this.memory;
    const position = this.#position;
    return (position + need > size ? this.#offset + size - position : this.#offset) + align8(need);
  }

  /** Forgets the records that the bytes up to `end` will overwrite; `fits` has made sure that all are reusable. */
  #evict(end: number): void {
    const { messages, size, offsets, mask } = this.memory;
    const written = this.#written;
    let oldest = this.#oldest;
    while (oldest < written && (written - oldest >= messages || end - offsets[oldest & mask] > size))
      oldest++;
    this.#oldest = oldest;
  }
}

/** The most bytes a record can take, whatever its padding. */
function recordBytes(source: Source, propsBytes: number, payloadBytes: number): number {
  return source.head.length * 4 + propsBytes + payloadBytes + 7;
}

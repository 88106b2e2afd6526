import { copyWords, type WordView } from './copy.js';
import {
  AWAITED,
  align8,
  META_NO_CLIENT,
  META_PAD_SHIFT,
  META_QOS,
  META_RETAIN,
  pressureOf,
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
  /** Bytes of all records so far, and what was left free between them. */
  #offset = 0;
  /** The position behind the newest record. */
  #head = 0;
  /** What `fits` found last, so that `append` need not look again: for a record of so many bytes, there. */
  #foundBytes = 0;
  #found = NOWHERE;
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

  /** See `pressureOf`: of what is in no file yet. */
  get pressure(): number {
    return pressureOf(this.memory, this.#written - this.#reusable, this.pendingBytes);
  }

  /** Whether a record of these lengths can ever be held. */
  holds(source: Source, propsBytes: number, payloadBytes: number): boolean {
    return recordBytes(source, propsBytes, payloadBytes) <= this.memory.size;
  }

  /** Whether there is room without giving up a message that is in no file yet. */
  fits(source: Source, propsBytes: number, payloadBytes: number): boolean {
    const need = recordBytes(source, propsBytes, payloadBytes);
    if (need !== this.#foundBytes) {
      this.#found = this.#place(need);
      this.#foundBytes = this.#found === NOWHERE ? 0 : need;
    }
    return this.#found !== NOWHERE;
  }

  /**
   * Copies a message in, whose payload is `start..end` of `payload`; `publish` shows it to the recorder. The caller has asked `holds`, and `fits` or `makeRoom`.
   * `key` is greater than every key before it. ~100 ns for a payload of 64 bytes.
   */
  append(
    key: number,
    source: Source,
    qos: number,
    retain: boolean,
    props: Uint8Array | null,
    payload: Uint8Array,
    start = 0,
    end = payload.length,
  ): void {
    const memory = this.memory;
    const { mask } = memory;
    const propsBytes = props === null ? 0 : props.length;
    const payloadBytes = end - start;
    const headBytes = source.head.length * 4;

    const need = recordBytes(source, propsBytes, payloadBytes);
    const position = need === this.#foundBytes ? this.#found : this.#place(need);
    this.#foundBytes = 0;
    const pad = (payload.byteOffset + start - (position + headBytes + propsBytes)) & 7;
    const bytes = align8(headBytes + propsBytes + pad + payloadBytes);
    this.#evict(position, position + bytes);
    // What is left free at the end counts as taken up by the message that did not fit there.
    if (position < this.#head && this.#reusable < this.#written) this.#offset += memory.size - this.#head;

    const slot = this.#written & mask;
    memory.keys[slot] = key;
    memory.offsets[slot] = this.#offset;
    memory.positions[slot] = position;
    memory.names[slot] = source.topicBytes | (source.clientBytes << 16);
    memory.hashes[slot] = source.hash;
    memory.props[slot] = propsBytes;
    memory.payloads[slot] = payloadBytes;
    memory.metas[slot] =
      (qos & META_QOS) |
      (retain ? META_RETAIN : 0) |
      (source.hasClient ? 0 : META_NO_CLIENT) |
      (pad << META_PAD_SHIFT);

    const { head } = source;
    const words = memory.words;
    const word = position >> 2;
    for (let i = 0; i < head.length; i++) words[word + i] = head[i];
    if (props !== null) memory.bytes.set(props, position + headBytes);
    copyWords(this.#source, payload, start, end, memory, position + headBytes + propsBytes + pad);

    this.#offset += bytes;
    this.#head = position + bytes;
    this.#written++;
  }

  /**
   * Lets the recorder see what was appended. Once a turn, not once a message: the store waits until all stores
   * before it have reached the other core's cache, which costs as much as the copy. `awaited`: somebody waits until the last
   * one is safe.
   */
  publish(awaited = false): void {
    if (awaited) Atomics.store(this.memory.control, AWAITED, this.#written | 0);
    Atomics.store(this.memory.control, WRITTEN, this.#written | 0);
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
      // TAIL is never behind this message, and goes back to it when a recorder is replaced: nothing is remembered of it.
      const taken =
        Atomics.compareExchange(control, TAIL, sequence | 0, (sequence + 1) | 0) !== (sequence | 0);
      giveUp(keys[sequence & mask], taken);
    }
  }

  /** Where a record of at most `need` bytes goes: behind the newest one or to the beginning. */
  #place(need: number): number {
    const { messages, positions, size, mask } = this.memory;
    const head = this.#head;
    const pending = this.#written - this.#reusable;
    // A ring that is often empty touches a part of its memory only.
    if (pending === 0) return head >= size / 4 || head + need > size ? 0 : head;
    if (pending >= messages) return NOWHERE;
    const tail = positions[this.#reusable & mask];
    // The records that may not be overwritten lie before the head, or end at the end and go on from the beginning.
    if (head <= tail) return head + need <= tail ? head : NOWHERE;
    if (head + need <= size) return head;
    return need <= tail ? 0 : NOWHERE;
  }

  /** Forgets the records that `from..to` overwrites, and those older; `#place` has made sure that all are reusable. */
  #evict(from: number, to: number): void {
    const { messages, positions, mask } = this.memory;
    const written = this.#written;
    const head = this.#head;
    let oldest = this.#oldest;
    // What lies behind the head is of the round before, and older than what lies at the beginning.
    if (from !== head) while (oldest < written && positions[oldest & mask] >= head) oldest++;
    while (oldest < written && positions[oldest & mask] >= from && positions[oldest & mask] < to) oldest++;
    while (written - oldest >= messages) oldest++;
    this.#oldest = oldest;
  }
}

const NOWHERE = -1;

/** The most bytes a record can take, whatever its padding. */
function recordBytes(source: Source, propsBytes: number, payloadBytes: number): number {
  return source.head.length * 4 + propsBytes + payloadBytes + 7;
}

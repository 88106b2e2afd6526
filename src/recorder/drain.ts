import { MqttStreamError } from '../errors.js';
import { advance, align8, pressureOf, type RingMemory } from '../ring/layout.js';
import { RingReader } from '../ring/reader.js';
import { emptyParts, readParts } from '../ring/record.js';
import { type Batch, ROW_BYTES } from './batch.js';

/** One step at most: so that a full ring costs the other streams little. */
const MOST_ROWS = 512;
/** A step of n rows ends early after so many bytes times n. */
const BYTES_A_ROW = 2048;

/** `lost`: the writer dropped messages meanwhile and the step was undone; there is more to do. */
export type DrainResult = 'took' | 'lost' | 'nothing';

export interface DrainLimits {
  readonly rows: number;
  readonly bytes: number;
}

/** Moves messages from a ring to a batch. */
export class Drain {
  readonly #reader: RingReader;
  #batch: Batch;
  readonly #parts = emptyParts();
  #position: number;
  #limited = false;
  /** Halved by every lost race, so that a step ends between two messages of a writer that drops for each one. */
  #stepRows = MOST_ROWS;
  /** Where the batch's first message is in the ring. */
  #firstSequence: number;
  #firstOffset = 0;
  #endOffset = 0;

  constructor(memory: RingMemory, from: number, batch: Batch) {
    this.#reader = new RingReader(memory, from);
    this.#batch = batch;
    this.#position = from;
    this.#firstSequence = from;
  }

  /** All messages before this sequence were taken or dropped. */
  get position(): number {
    return this.#position;
  }

  /** The batch is as large as the last step's limits allow. */
  get limited(): boolean {
    return this.#limited;
  }

  /** One past the last message in the ring. */
  written(): number {
    return this.#reader.written();
  }

  /** The ring's AWAITED: changes whenever somebody waits for a message to be safe. */
  awaitedWord(): number {
    return this.#reader.awaitedWord();
  }

  /** One past the last message that somebody waits for, if the word is one of late. */
  awaited(word: number): number {
    return advance(this.#position, word);
  }

  /** See `pressureOf`: of the messages in the batch. */
  pressure(): number {
    if (this.#batch.rows === 0) return 0;
    const messages = this.#position - this.#firstSequence;
    return pressureOf(this.#reader.memory, messages, this.#endOffset - this.#firstOffset);
  }

  /** Goes on with another batch, which is empty. */
  fill(batch: Batch): void {
    this.#batch = batch;
    this.resume();
  }

  /** The limits have changed. */
  resume(): void {
    this.#limited = false;
  }

  step(limits: DrainLimits): DrainResult {
    const reader = this.#reader;
    const batch = this.#batch;
    const from = reader.tail();
    this.#position = from;
    const free = limits.rows - batch.rows;
    this.#limited = free <= 0;
    const to = Math.min(reader.written(), from + Math.min(this.#stepRows, free));
    if (to <= from) return 'nothing';

    const mark = batch.mark();
    const endOffset = this.#endOffset;
    const next = this.#copy(from, to, limits.bytes);
    if (next > from && reader.take(from, next)) {
      this.#position = next;
      this.#stepRows = Math.min(MOST_ROWS, this.#stepRows * 2);
      return 'took';
    }
    // What was read is true only if TAIL has not moved: the writer moves it before it overwrites.
    const stands = reader.tail() === from;
    if (stands && next === from) return 'nothing';
    if (stands) throw new MqttStreamError('INTERNAL', [`message ${from} of the ring cannot be as it is`]);
    batch.rollback(mark);
    this.#endOffset = endOffset;
    this.#limited = false;
    this.#stepRows = Math.max(1, this.#stepRows / 2);
    return 'lost';
  }

  /** Copies from `from` to at most `to`; where it stopped, or -1 if what it saw cannot be. */
  #copy(from: number, to: number, mostBytes: number): number {
    const { memory } = this.#reader;
    const batch = this.#batch;
    const parts = this.#parts;
    const enough = batch.rawBytes + this.#stepRows * BYTES_A_ROW;
    batch.reserve(to - from);
    let next = from;
    while (next < to) {
      if (!readParts(memory, next, parts)) return -1;
      // New names come on top: those of one row may exceed the limit.
      const more = ROW_BYTES + parts.propsBytes + parts.payloadBytes;
      if (batch.rows > 0 && batch.rawBytes + more > mostBytes) {
        this.#limited = true;
        break;
      }
      const offset = memory.offsets[next & memory.mask];
      if (batch.rows === 0) {
        this.#firstSequence = next;
        this.#firstOffset = offset;
      }
      this.#endOffset = offset + align8(parts.payloadAt + parts.payloadBytes - parts.topicAt);
      batch.append(memory, parts);
      next++;
      if (batch.rawBytes >= enough) break;
    }
    return next;
  }
}

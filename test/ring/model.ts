import assert from 'node:assert/strict';
import { allocateRing, type RingMemory } from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';
import { copyMessage, emptyParts, type Message } from '../../src/ring/record.js';
import { RingWriter } from '../../src/ring/writer.js';
import { append, assertStands, lengths, type Sample, sample, whole } from './samples.js';

/** What became of a message: nothing yet, taken over by the reader, or dropped by the writer. */
type Fate = 'pending' | 'taken' | 'dropped';

interface Copied {
  readonly from: number;
  readonly messages: Message[];
}

/** A ring, both its sides, and beside them plain lists of what must be in it. */
export class RingModel {
  readonly memory: RingMemory;
  readonly writer: RingWriter;
  readonly reader: RingReader;
  readonly fates: Fate[] = [];
  /** Rows that the reader has copied out but not taken. */
  copied: Copied | null = null;
  lostRaces = 0;
  readonly #samples: Sample[] = [];
  /** First message of fate `pending`. */
  #tail = 0;
  #committed = 0;
  #reusable = 0;
  #key = 1_700_000_000_000_000;

  constructor(messages: number, bytes: number) {
    this.memory = allocateRing(messages, bytes);
    this.writer = new RingWriter(this.memory);
    this.reader = new RingReader(this.memory, 0);
  }

  next(random: () => number, payloadBytes: number): Sample {
    this.#key += whole(random, 1, 1000);
    return sample(random, this.#key, payloadBytes);
  }

  append(one: Sample): void {
    append(this.writer, one);
    this.#samples.push(one);
    this.fates.push('pending');
  }

  makeRoom(one: Sample): void {
    this.writer.makeRoom(...lengths(one), (key, taken) => {
      const sequence = this.#reusable++;
      assert.equal(key, this.#samples[sequence]!.message.key, 'the oldest one is given up');
      assert.equal(taken, this.fates[sequence] === 'taken');
      if (taken) return;
      assert.equal(sequence, this.#tail);
      this.fates[sequence] = 'dropped';
      this.#tail++;
    });
    assert.ok(this.writer.fits(...lengths(one)));
  }

  /** The reader copies up to `most` rows, and takes them later. */
  copy(most: number): void {
    const from = this.reader.tail();
    assert.equal(from, this.#tail);
    const to = Math.min(this.reader.written(), from + most);
    const messages: Message[] = [];
    for (let i = from; i < to; i++) messages.push(copyMessage(this.memory, i, emptyParts()));
    this.copied = { from, messages };
  }

  take(): void {
    const { from, messages } = this.copied!;
    this.copied = null;
    const stands = from === this.#tail;
    assert.equal(this.reader.take(from, from + messages.length), stands);
    if (!stands) {
      this.lostRaces++;
      return;
    }
    for (const [i, message] of messages.entries()) {
      assert.deepEqual(Buffer.from(message.payload), Buffer.from(this.#samples[from + i]!.message.payload));
      assert.equal(this.fates[from + i], 'pending');
      this.fates[from + i] = 'taken';
    }
    this.#tail += messages.length;
  }

  /** Up to `sequence`, which the reader has taken. */
  commit(sequence: number): void {
    this.writer.commit(sequence);
    this.#committed = Math.max(this.#committed, sequence);
    this.#reusable = Math.max(this.#reusable, sequence);
  }

  get tail(): number {
    return this.#tail;
  }

  check(): void {
    const { writer, memory } = this;
    const { oldest, reusable, committed, written } = writer;
    assert.equal(written, this.#samples.length);
    assert.equal(committed, this.#committed);
    assert.equal(reusable, this.#reusable);
    assert.ok(oldest <= reusable && reusable <= written && committed <= reusable);
    assert.ok(written - oldest <= memory.messages);
    assert.equal(this.reader.tail(), this.#tail);
    assert.equal(this.reader.written(), written);
    for (let i = oldest; i < written; i++) assertStands(memory, i, this.#samples[i]!.message);
    this.#checkBytes();
  }

  /** Least and most bytes that the messages `from..written` can take. */
  #bytes(from: number): { least: number; most: number } {
    let least = 0;
    let most = 0;
    for (const one of this.#samples.slice(from)) {
      least += rawBytes(one);
      most += rawBytes(one) + 14;
    }
    return { least, most };
  }

  #checkBytes(): void {
    const { writer, memory } = this;
    const { oldest, reusable, written, pendingBytes } = writer;
    const { least, most } = this.#bytes(reusable);
    // One record at most starts anew at position 0, and leaves less than its own size behind.
    const slack = Math.max(0, ...this.#samples.slice(oldest).map((one) => rawBytes(one) + 14));
    assert.ok(pendingBytes >= least && pendingBytes <= most + slack, `${least} ${pendingBytes} ${most}`);
    assert.ok(pendingBytes <= memory.size);
    assert.equal(pendingBytes === 0, reusable === written);
  }
}

/** Bytes of a record without its padding. */
export function rawBytes({ source, props, message }: Sample): number {
  return source.head.length * 4 + (props?.length ?? 0) + message.payload.length;
}

import { setImmediate as nextTurn } from 'node:timers/promises';
import { MqttStreamError, textOf } from '../errors.js';
import { copyMessage, emptyParts, type Message } from '../ring/record.js';
import type { Sink, Stream } from './stream.js';

/** Takes the next messages of a stream: at most 1024, or about 1 MiB of payload. */
export type TakeBatch = (messages: Message[], stream: string) => void | Promise<void>;

export interface HandoverLimits {
  /** ms since the first message not handed over; 0: off. */
  readonly every: number;
  readonly bytes: number;
  readonly messages: number;
}

/** What is copied out of a ring in one turn: the broker's thread has other things to do. */
const TURN_MESSAGES = 1024;
const TURN_BYTES = 1024 * 1024;
/** After a callback failed, the batch is offered again. */
const RETRY_MS = 1000;

/**
 * A ring whose batches an embedder takes (`whenFull: return` with a callback): instead of being written to files
 * they are handed to the callback when the ring is full or a flush is due. They stay in the ring until the callback
 * has returned, or its promise resolved; if it fails they are offered again.
 */
export class Handover implements Sink {
  readonly #stream: Stream;
  readonly #take: TakeBatch;
  readonly #limits: HandoverLimits;
  readonly #onTaken: () => void;
  readonly #onFailed: (error: unknown) => void;
  readonly #parts = emptyParts();
  /** The batch that the callback has. */
  #handing: Promise<void> | null = null;
  #flushing = false;
  /** The last batch was not taken: the timer offers it again, not every message. */
  #failed = false;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(
    stream: Stream,
    take: TakeBatch,
    limits: HandoverLimits,
    onTaken: () => void,
    onFailed: (error: unknown) => void,
  ) {
    this.#stream = stream;
    this.#take = take;
    this.#limits = limits;
    this.#onTaken = onTaken;
    this.#onFailed = onFailed;
  }

  captured(): void {
    const { ring } = this.#stream;
    if (this.#failed) return;
    if (ring.written - ring.committed >= this.#limits.messages || ring.pendingBytes >= this.#limits.bytes) {
      this.#flushNow();
    } else if (this.#timer === null && this.#limits.every > 0) {
      this.#arm(this.#limits.every);
    }
  }

  async flush(): Promise<void> {
    const { ring, name } = this.#stream;
    const upTo = ring.written;
    for (;;) {
      // Never in the middle of a message's way: the callback may publish.
      await nextTurn();
      if (ring.committed >= upTo) return;
      try {
        await this.#hand();
      } catch (error) {
        throw new MqttStreamError('FLUSH_FAILED', [name, textOf(error)], { cause: error });
      }
    }
  }

  /** Offers nothing by itself any more. */
  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  #flushNow(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.flush().then(
      () => {
        this.#flushing = false;
        const { ring } = this.#stream;
        if (ring.written > ring.committed) this.captured();
      },
      () => {
        // Reported where it failed; the timer is armed.
        this.#flushing = false;
      },
    );
  }

  #arm(ms: number): void {
    this.#disarm();
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#flushNow();
    }, ms);
    this.#timer.unref();
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #hand(): Promise<void> {
    this.#handing ??= this.#handBatch().finally(() => {
      this.#handing = null;
    });
    return this.#handing;
  }

  async #handBatch(): Promise<void> {
    const { ring, name } = this.#stream;
    const messages: Message[] = [];
    let upTo = ring.committed;
    for (
      let bytes = 0;
      upTo < ring.written && messages.length < TURN_MESSAGES && bytes < TURN_BYTES;
      upTo++
    ) {
      const message = copyMessage(ring.memory, upTo, this.#parts);
      messages.push(message);
      bytes += message.payload.length;
    }
    try {
      await this.#take(messages, name);
      this.#failed = false;
    } catch (error) {
      this.#failed = true;
      this.#onFailed(error);
      this.#arm(RETRY_MS);
      throw error;
    }
    this.#stream.committed(upTo, messages.at(-1)!.key);
    this.#onTaken();
  }
}

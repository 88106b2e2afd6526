import { copyMessage, emptyParts, type Message } from '../ring/record.js';
import type { Sink, Stream } from './stream.js';

export type TakeBatch = (messages: Message[], stream: string) => void | Promise<void>;

export interface HandoverLimits {
  /** ms since the first message not handed over; 0: off. */
  readonly every: number;
  readonly bytes: number;
  readonly messages: number;
}

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
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

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
    if (ring.written - ring.committed >= this.#limits.messages || ring.pendingBytes >= this.#limits.bytes) {
      this.#start();
    } else if (this.#timer === null && this.#limits.every > 0) {
      this.#arm(this.#limits.every);
    }
  }

  async flush(): Promise<void> {
    const { ring } = this.#stream;
    const upTo = ring.written;
    while (ring.committed < upTo) await this.#hand();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #start(): void {
    if (this.#running !== null) return;
    this.#hand().catch((error: unknown) => {
      this.#onFailed(error);
      this.#arm(RETRY_MS);
    });
  }

  #arm(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#start();
    }, ms);
    this.#timer.unref();
  }

  #hand(): Promise<void> {
    this.#running ??= this.#handNow().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #handNow(): Promise<void> {
    const { ring, name } = this.#stream;
    const upTo = ring.written;
    const messages: Message[] = [];
    for (let sequence = ring.reusable; sequence < upTo; sequence++) {
      messages.push(copyMessage(ring.memory, sequence, this.#parts));
    }
    if (messages.length > 0) await this.#take(messages, name);
    this.#stream.committed(upTo, messages.at(-1)?.key ?? 0);
    this.#onTaken();
  }
}

import { textOf } from '../errors.js';
import { attachRing } from '../ring/layout.js';
import { Backoff } from './backoff.js';
import { Batch } from './batch.js';
import type { RecorderContext } from './context.js';
import { Drain, type DrainLimits } from './drain.js';
import { type CommittedFile, FileWriter } from './file.js';
import { fileMetadata } from './metadata.js';
import { isPoison } from './parquet.js';
import type { AddControl, FlushReason, RecordedStream } from './protocol.js';
import { arrowTable } from './table.js';
import { WaitingFlushes } from './waiting.js';

/** What one call of the encoder is given at most, except for a single message that is larger. */
export const MOST_RAW_BYTES = 64 * 1024 * 1024;
const RETRY_LEAST_MS = 100;
const RETRY_MOST_MS = 10_000;

interface Failure {
  readonly reason: FlushReason;
  readonly error: string;
  retryAt: number;
}

/** One stream in the worker: fills its batch from the ring and makes a file of it when one is due. */
export class StreamRecording {
  readonly name: string;
  readonly #context: RecorderContext;
  readonly #stream: RecordedStream;
  readonly #batch = new Batch();
  readonly #drain: Drain;
  readonly #files: FileWriter;
  readonly #held: Int32Array;
  readonly #waiting: WaitingFlushes;
  readonly #backoff = new Backoff(RETRY_LEAST_MS, RETRY_MOST_MS);
  #seq: number;
  /** When the first and the last row of the batch came. */
  #firstAt = 0;
  #lastAt = 0;
  #failure: Failure | null = null;
  /** Pressure of the messages taken since `pace` was asked. */
  #taken = 0;

  constructor(context: RecorderContext, { stream, ring, from, seq, held }: AddControl) {
    this.name = stream.name;
    this.#context = context;
    this.#stream = stream;
    this.#drain = new Drain(attachRing(ring), from, this.#batch);
    this.#files = new FileWriter(context.disk, context.dataDir, stream.name);
    this.#held = new Int32Array(held);
    this.#waiting = new WaitingFlushes(context.post);
    this.#seq = seq;
  }

  /** A small piece of work; false if there was none. */
  step(): boolean {
    const taken = this.#take();
    const reason = this.#due();
    if (reason !== null) this.#write(reason);
    this.#answer();
    return taken || reason !== null;
  }

  /** Whether the ring holds messages that may be taken now. */
  pending(): boolean {
    return !this.#drain.limited && this.#drain.written() !== this.#drain.position;
  }

  /** When, without any new message, there will be something to do; `Infinity` for never. */
  deadline(): number {
    if (this.#failure !== null) return this.#failure.retryAt;
    if (this.#batch.rows === 0) return Number.POSITIVE_INFINITY;
    const { every, idle } = this.#stream.flush;
    return Math.min(after(this.#firstAt, every), after(this.#lastAt, idle));
  }

  /** Pressure of what was taken since the last call: how fast the ring fills. */
  pace(): number {
    const taken = this.#taken;
    this.#taken = 0;
    return taken;
  }

  /** Has all that is in the ring now written, and the answer posted. A failed write is tried again at once. */
  request(id: number, reason: FlushReason): void {
    this.#waiting.add(id, reason, this.#drain.written());
    if (this.#failure !== null) this.#failure.retryAt = this.#context.now();
  }

  /** Writes all that is in the ring now; each file is tried once. The error's text, or `null`. */
  finish(reason: FlushReason): string | null {
    const target = this.#drain.written();
    for (;;) {
      while (this.#drain.position < target && this.#take());
      if (this.#batch.rows > 0) this.#write(reason);
      this.#answer();
      if (this.#failure !== null) return this.#failure.error;
      if (this.#drain.position >= target) return null;
    }
  }

  /** Messages that are in no file. */
  unwritten(): number {
    return this.#batch.rows + this.#drain.written() - this.#drain.position;
  }

  #take(): boolean {
    const before = this.#drain.pressure();
    const rows = this.#batch.rows;
    const result = this.#drain.step(this.#limits());
    if (result === 'took') {
      this.#lastAt = this.#context.now();
      if (rows === 0) this.#firstAt = this.#lastAt;
      this.#taken += this.#drain.pressure() - before;
      Atomics.store(this.#held, 0, this.#batch.rows);
    }
    return result !== 'nothing';
  }

  /** While a write fails, its rows wait for the next attempt and others join them. */
  #limits(): DrainLimits {
    const { bytes, messages } = this.#stream.flush;
    if (this.#failure !== null) return { rows: Number.POSITIVE_INFINITY, bytes: MOST_RAW_BYTES };
    return {
      rows: messages || Number.POSITIVE_INFINITY,
      bytes: Math.min(bytes || MOST_RAW_BYTES, MOST_RAW_BYTES),
    };
  }

  #due(): FlushReason | null {
    if (this.#batch.rows === 0) return null;
    const now = this.#context.now();
    if (this.#failure !== null) return now >= this.#failure.retryAt ? this.#failure.reason : null;
    const { every, bytes, messages, idle } = this.#stream.flush;
    if (this.#drain.pressure() >= 1) return 'full';
    if (messages > 0 && this.#batch.rows >= messages) return 'messages';
    if (this.#drain.limited || (bytes > 0 && this.#batch.rawBytes >= bytes)) return 'bytes';
    if (now >= after(this.#firstAt, every)) return 'every';
    if (now >= after(this.#lastAt, idle)) return 'idle';
    return this.#waiting.due(this.#drain.position);
  }

  #write(reason: FlushReason): void {
    const { now, post } = this.#context;
    const started = now();
    let file: CommittedFile;
    try {
      file = this.#makeFile();
    } catch (error) {
      // The encoder is beyond use, and with it this thread: the ring still has the rows.
      if (isPoison(error)) throw error;
      this.#fail(reason, textOf(error));
      return;
    }
    const seconds = (now() - started) / 1000;
    const info = { reason, seconds, rawBytes: this.#batch.rawBytes };
    post({ kind: 'committed', stream: this.name, file, upTo: this.#drain.position, info });
    this.#batch.clear();
    this.#drain.resume();
    Atomics.store(this.#held, 0, 0);
    this.#seq++;
    this.#waiting.committed(file);
    if (this.#failure !== null) post({ kind: 'recovered', stream: this.name });
    this.#failure = null;
    this.#backoff.reset();
  }

  #fail(reason: FlushReason, error: string): void {
    const { now, post } = this.#context;
    const messages = this.unwritten();
    if (this.#failure === null) post({ kind: 'failed', stream: this.name, error, messages });
    this.#failure = { reason, error, retryAt: now() + this.#backoff.next() };
    this.#drain.resume();
    this.#waiting.fail(error);
  }

  #answer(): void {
    if (this.#batch.rows === 0) this.#waiting.answer(this.#drain.position);
  }

  #makeFile(): CommittedFile {
    const { firstKey, lastKey, rows } = this.#batch;
    const label = { firstKey, lastKey, seq: this.#seq, rows };
    const metadata = fileMetadata(this.#context, this.name, label);
    const table = arrowTable(this.#batch.columns());
    const bytes = this.#context.encoder.encode(table, this.#stream.parquet.compression, metadata);
    return this.#files.write(label, bytes);
  }
}

/** `delay` milliseconds after `from`; 0 is "never". */
function after(from: number, delay: number): number {
  return delay === 0 ? Number.POSITIVE_INFINITY : from + delay;
}

import { attachRing } from '../ring/layout.js';
import { Batch } from './batch.js';
import { Budget } from './budget.js';
import { type RecorderContext, sealingOf } from './context.js';
import { Drain, type DrainLimits } from './drain.js';
import { type CommittedFile, FileWriter, type Sealing } from './file.js';
import { Keeping } from './journal/keeping.js';
import { Recovery } from './journal/recovery.js';
import { fileMetadata } from './metadata.js';
import type { AddControl, FlushReason, RecordedStream } from './protocol.js';
import { arrowTable } from './table.js';
import { Trial } from './trial.js';
import { WaitingFlushes } from './waiting.js';

/** What one call of the encoder is given at most, except for a single message that is larger. */
const MOST_RAW_BYTES = 64 * 1024 * 1024;

const NOTHING_FOUND = { file: null, torn: 0, unreadable: false };

/** How much longer messages wait for their file while more was written than may be. */
const PATIENCE = 10;

/**
 * One stream in the worker: fills its batch from the ring, keeps it in the journal, and makes a file of it when one is
 * due. Between that it makes files of what an earlier process has left in its journal.
 */
export class StreamRecording {
  readonly name: string;
  readonly #context: RecorderContext;
  readonly #stream: RecordedStream;
  readonly #batch = new Batch();
  readonly #drain: Drain;
  readonly #files: FileWriter;
  readonly #held: Int32Array;
  readonly #waiting: WaitingFlushes;
  readonly #budget: Budget;
  readonly #writing: Trial;
  readonly #recovering: Trial;
  /** null: the stream promises nothing. */
  readonly #keeping: Keeping | null;
  /** null: nothing is left of an earlier process. */
  #recovery: Recovery | null;
  /** Made of the segment that is next, which could not be removed; not told yet. */
  #recovered: CommittedFile | null = null;
  #seq: number;
  /** When the first and the last row of the batch came. */
  #firstAt = 0;
  #lastAt = 0;
  /** Why a file was begun that could not be written. */
  #failed: FlushReason | null = null;
  /** Pressure of the messages taken since `pace` was asked. */
  #taken = 0;

  constructor(context: RecorderContext, { stream, ring, from, seq, held, ringKey }: AddControl) {
    const { name, durability } = stream;
    const { dataDir, disk, now, post } = context;
    this.name = name;
    this.#context = context;
    this.#stream = stream;
    this.#drain = new Drain(attachRing(ring), from, this.#batch);
    this.#files = new FileWriter(disk, dataDir, name);
    this.#held = new Int32Array(held);
    this.#waiting = new WaitingFlushes(post);
    this.#seq = seq;
    this.#budget = new Budget(stream.writeBudget.perDay, now, (exhausted) =>
      post({ kind: 'budget', stream: name, exhausted }),
    );
    this.#writing = new Trial(context, name, 'file');
    this.#recovering = new Trial(context, name, 'recovery');
    const recovery = new Recovery(disk, dataDir, name, ringKey, context.sealing.keyring);
    this.#recovery = recovery;
    this.#keeping =
      durability === 'none'
        ? null
        : new Keeping(context, stream, this.#budget, this.#drain, this.#batch, () => recovery.nextNumber);
  }

  /** A small piece of work; false if there was none. */
  step(): boolean {
    const taken = this.#take();
    const kept = this.#keeping?.step() === true;
    const reason = this.#due();
    if (reason !== null) this.#write(reason);
    this.#answer();
    return taken || kept || reason !== null || this.#recover();
  }

  /** Whether the ring holds messages that may be taken now. */
  pending(): boolean {
    return !this.#drain.limited && this.#drain.written() !== this.#drain.position;
  }

  /** When, without any new message, there will be something to do; `Infinity` for never. */
  deadline(): number {
    return Math.min(
      this.#fileDeadline(),
      this.#keeping?.deadline() ?? Number.POSITIVE_INFINITY,
      this.#recovering.deadline,
    );
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
    this.#writing.hurry();
  }

  /** So many bytes were written by others. */
  wrote(bytes: number): void {
    this.#budget.spend(bytes);
  }

  /** What failed is tried again at once. */
  retry(): void {
    this.#writing.hurry();
    this.#recovering.hurry();
    this.#keeping?.retry();
  }

  /** Writes all that is in the ring now; each file is tried once. The error's text, or `null`. */
  finish(reason: FlushReason): string | null {
    const target = this.#drain.written();
    for (;;) {
      while (this.#drain.position < target && this.#take());
      if (this.#batch.rows > 0) this.#write(reason);
      this.#answer();
      if (this.#writing.failing) {
        this.#keeping?.step();
        return this.#writing.error;
      }
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
    if (this.#writing.failing) return { rows: Number.POSITIVE_INFINITY, bytes: MOST_RAW_BYTES };
    return {
      rows: messages || Number.POSITIVE_INFINITY,
      bytes: Math.min(bytes || MOST_RAW_BYTES, MOST_RAW_BYTES),
    };
  }

  #due(): FlushReason | null {
    if (this.#batch.rows === 0) return null;
    const now = this.#context.now();
    if (this.#failed !== null) return this.#writing.due ? this.#failed : null;
    const { bytes, messages } = this.#stream.flush;
    if (this.#drain.pressure() >= 1) return 'full';
    if (messages > 0 && this.#batch.rows >= messages) return 'messages';
    if (this.#drain.limited || (bytes > 0 && this.#batch.rawBytes >= bytes)) return 'bytes';
    if (now >= this.#everyAt()) return 'every';
    if (now >= this.#idleAt()) return 'idle';
    return this.#waiting.due(this.#drain.position);
  }

  #write(reason: FlushReason): void {
    const { now, post } = this.#context;
    const started = now();
    let file: CommittedFile | null = null;
    const work = () => {
      this.#recovery?.begin();
      file = this.#makeFile(this.#batch, sealingOf(this.#context, this.#stream));
    };
    if (!this.#writing.attempt(work, () => this.unwritten())) {
      this.#failed = reason;
      this.#drain.resume();
      this.#waiting.fail(this.#writing.error!);
      return;
    }
    const seconds = (now() - started) / 1000;
    const info = {
      reason,
      seconds,
      rawBytes: this.#batch.rawBytes,
      journalBytes: this.#keeping?.bytes ?? 0,
      journalSyncs: this.#keeping?.syncs ?? 0,
    };
    post({ kind: 'committed', stream: this.name, file: file!, upTo: this.#drain.position, info });
    this.#keeping?.retire();
    this.#batch.clear();
    this.#drain.resume();
    Atomics.store(this.#held, 0, 0);
    this.#waiting.committed(file!);
    this.#failed = null;
  }

  /** Makes a file of the next segment that was left; false if there was nothing to do. */
  #recover(): boolean {
    const recovery = this.#recovery;
    if (recovery === null || !this.#recovering.due) return false;
    const { post } = this.#context;
    this.#recovering.attempt(
      () => {
        const name = recovery.next;
        if (name === null) {
          this.#recovery = null;
          post({ kind: 'restored', stream: this.name, ...NOTHING_FOUND, left: 0 });
          return;
        }
        const found = recovery.read();
        if (found === null) {
          post({
            kind: 'remark',
            text: `the journal's segment ${name} of stream ${this.name} cannot be read`,
          });
          const { left } = recovery;
          post({ kind: 'restored', stream: this.name, ...NOTHING_FOUND, unreadable: true, left: left + 1 });
          return;
        }
        const { sealed, tampered } = found;
        // What was encrypted stays so, whatever is said of the stream now.
        const sealing = sealed ? this.#context.sealing : sealingOf(this.#context, this.#stream);
        if (found.batch.rows > 0) this.#recovered = this.#makeFile(found.batch, sealing);
        if (found.shared) this.#keeping?.adopt(name);
        recovery.done();
        if (tampered !== null) {
          post({
            kind: 'remark',
            text: `the journal's segment ${name} of stream ${this.name} was changed by somebody: ${tampered}`,
          });
        }
        if (recovery.left === 0) this.#recovery = null;
        const file = this.#recovered;
        this.#recovered = null;
        const { torn } = found;
        const unreadable = tampered !== null;
        post({ kind: 'restored', stream: this.name, file, torn, unreadable, left: recovery.left });
      },
      () => 0,
    );
    return true;
  }

  #answer(): void {
    if (this.#batch.rows === 0) this.#waiting.answer(this.#drain.position);
  }

  #makeFile(batch: Batch, sealing: Sealing | null): CommittedFile {
    const { bootId, timeline, version } = this.#context;
    const { firstKey, lastKey, rows, rawBytes } = batch;
    const label = { firstKey, lastKey, seq: this.#seq, rows, rawBytes };
    const clock = timeline.record(firstKey, lastKey);
    const metadata = fileMetadata({ stream: this.name, bootId, clock, version }, label);
    const table = arrowTable(batch.columns());
    const bytes = this.#context.encoder.encode(table, this.#stream.parquet.compression, metadata);
    this.#context.room.claim(bytes.length);
    const file = this.#files.write(label, bytes, sealing);
    this.#budget.spend(file.bytes);
    this.#seq++;
    return file;
  }

  #fileDeadline(): number {
    if (this.#writing.failing) return this.#writing.deadline;
    if (this.#batch.rows === 0) return Number.POSITIVE_INFINITY;
    return Math.min(this.#everyAt(), this.#idleAt());
  }

  #everyAt(): number {
    return after(this.#firstAt, this.#stream.flush.every * this.#patience());
  }

  #idleAt(): number {
    return after(this.#lastAt, this.#stream.flush.idle * this.#patience());
  }

  /** Few large files are less to write than many small ones. */
  #patience(): number {
    return this.#budget.exhausted ? PATIENCE : 1;
  }
}

/** `delay` milliseconds after `from`; 0 is "never". */
function after(from: number, delay: number): number {
  return delay === 0 ? Number.POSITIVE_INFINITY : from + delay;
}

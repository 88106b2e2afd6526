import { textOf } from '../errors.js';
import { attachRing } from '../ring/layout.js';
import { Batch } from './batch.js';
import { Budget } from './budget.js';
import { type RecorderContext, sealingOf } from './context.js';
import { Drain, type DrainLimits } from './drain.js';
import { FileJobs } from './files/jobs.js';
import { FileMaking } from './files/making.js';
import type { CommittedFile } from './files/writer.js';
import { FlushRule } from './flush.js';
import { Keeping } from './journal/keeping.js';
import { Recovery } from './journal/recovery.js';
import { Restoring } from './journal/restoring.js';
import { type AddControl, type FlushReason, HELD, type RecordedStream } from './protocol.js';
import { isFull } from './room.js';
import { Trial } from './trial.js';
import { WaitingFlushes } from './waiting.js';

/** A file to be, out of the rows of a batch that get no more. */
interface Turned {
  readonly batch: Batch;
  readonly making: FileMaking;
  readonly reason: FlushReason;
  /** All messages before this sequence are in it, in files before it, or were dropped. */
  readonly upTo: number;
  /** When it was last begun, ms. */
  begunAt: number;
}

interface Ending {
  readonly reason: FlushReason;
  /** All messages before this sequence are to be in files. */
  readonly target: number;
  /** Why one could not be written. */
  error: string | null;
}

/**
 * One stream in the worker: fills its batch from the ring, keeps it in the journal, and has a file made of it when one
 * is due, while another batch is filled. Between that, files are made of what an earlier process has left in its journal.
 */
export class StreamRecording {
  readonly name: string;
  readonly #context: RecorderContext;
  readonly #stream: RecordedStream;
  /** The one that is filled, and the one that is filled next. */
  #batch = new Batch();
  #spare = new Batch();
  /** null: no file is being made. */
  #turned: Turned | null = null;
  readonly #drain: Drain;
  readonly #words: Int32Array;
  readonly #waiting: WaitingFlushes;
  readonly #budget: Budget;
  readonly #rule: FlushRule;
  readonly #jobs: FileJobs;
  readonly #writing: Trial;
  /** null: the stream promises nothing. */
  readonly #keeping: Keeping | null;
  readonly #recovery: Recovery;
  readonly #restoring: Restoring;
  /** Pressure of the messages taken since `pace` was asked. */
  #taken = 0;
  #ending: Ending | null = null;

  constructor(context: RecorderContext, { again, stream, ring, from, numbers, shared, ringKey }: AddControl) {
    const { name, durability } = stream;
    const { dataDir, disk, now, post } = context;
    this.name = name;
    this.#context = context;
    this.#stream = stream;
    this.#drain = new Drain(attachRing(ring), from, this.#batch);
    this.#words = new Int32Array(shared);
    this.#waiting = new WaitingFlushes(post);
    this.#budget = new Budget(stream.writeBudget.perDay, now, (exhausted) =>
      post({ kind: 'budget', stream: name, exhausted }),
    );
    this.#rule = new FlushRule(stream.flush, this.#budget);
    this.#writing = new Trial(context, name, 'file');
    // Of this process, what comes later may be in a file first: then nobody would miss what a power cut takes of it.
    const synced = again || durability === 'interval' || durability === 'strict';
    const left = { name, ringKey, numbers, synced };
    const recovery = new Recovery(disk, dataDir, left, context.sealing.keyring);
    this.#recovery = recovery;
    this.#keeping =
      durability === 'none'
        ? null
        : new Keeping(context, stream, this.#budget, this.#drain, this.#batch, () => recovery.nextNumber);
    this.#jobs = new FileJobs(context, stream, this.#words, () => recovery.firstFile);
    this.#restoring = new Restoring(context, stream, this.#budget, recovery, this.#keeping, this.#jobs);
  }

  /** A small piece of work; false if there was none. */
  step(): boolean {
    const taken = this.#take();
    const kept = this.#keeping?.step() === true;
    const begun = this.#begin();
    const made = this.#collect();
    if (this.#turned === null && this.#batch.rows === 0) this.#waiting.answer(this.#drain.position);
    return taken || kept || begun || made || this.#restoring.step(this.#ending !== null);
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
      this.#restoring.deadline,
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

  /** What was told to be missing of what was left is on the disk. */
  noted(): void {
    this.#restoring.noted();
  }

  /** So many bytes were written by others. */
  wrote(bytes: number): void {
    this.#budget.spend(bytes);
  }

  /** What failed is tried again at once. */
  retry(): void {
    this.#writing.hurry();
    this.#restoring.retry();
    this.#keeping?.retry();
  }

  /** From now on all that is in the ring now is written, and no file of an earlier process's is begun. */
  end(reason: FlushReason): void {
    this.#ending = { reason, target: this.#drain.written(), error: null };
    this.#writing.hurry();
  }

  /** After `end`: what came of it, once that is known. `error`: why something is in no file; null: all is. */
  ended(): { readonly error: string | null } | null {
    const { error, target } = this.#ending!;
    if (this.#restoring.busy) return null;
    if (error === null) {
      if (this.#turned !== null || this.#batch.rows > 0 || this.#drain.position < target) return null;
    } else if (this.pending()) {
      // What no file has is to be in the journal.
      return null;
    }
    return { error };
  }

  /** After `end`: as before. */
  goOn(): void {
    this.#ending = null;
  }

  /** Messages that are in no file. */
  unwritten(): number {
    return this.#rows() + this.#drain.written() - this.#drain.position;
  }

  /** Messages that were taken over and are in no file. */
  #rows(): number {
    return this.#batch.rows + (this.#turned?.batch.rows ?? 0);
  }

  #take(): boolean {
    const before = this.#drain.pressure();
    const rows = this.#batch.rows;
    const result = this.#drain.step(this.#limits());
    if (result === 'took') {
      this.#rule.took(this.#context.now(), rows === 0);
      this.#taken += this.#drain.pressure() - before;
      Atomics.store(this.#words, HELD, this.#rows());
    }
    return result !== 'nothing';
  }

  #limits(): DrainLimits {
    if (!this.#writing.failing) return this.#rule.limits();
    return this.#rule.limitsBehind(this.#turned?.batch.rawBytes ?? 0);
  }

  #due(): FlushReason | null {
    if (this.#batch.rows === 0) return null;
    const reason = this.#rule.due(this.#batch, this.#drain, this.#context.now());
    if (reason !== null) return reason;
    const ending = this.#ending;
    if (ending !== null && this.#drain.position >= ending.target) return ending.reason;
    return this.#waiting.due(this.#drain.position);
  }

  /** Begins a file if one is due, or one that failed again. Whether it has. */
  #begin(): boolean {
    if (this.#turned === null) {
      const reason = this.#due();
      if (reason === null || !this.#writing.due) return false;
      if (!this.#look()) return true;
      this.#turned = this.#turn(reason);
    }
    if (!this.#turned.making.begin()) return false;
    this.#turned.begunAt = this.#context.now();
    return true;
  }

  /** Sees what an earlier process has left, before the first file: which would be taken for one of these. */
  #look(): boolean {
    try {
      this.#recovery.begin();
      return true;
    } catch (error) {
      this.#writing.failed(textOf(error), isFull(error), this.unwritten());
      this.#refuse();
      return false;
    }
  }

  #turn(reason: FlushReason): Turned {
    const batch = this.#batch;
    this.#batch = this.#spare;
    this.#keeping?.turn(this.#batch);
    this.#drain.fill(this.#batch);
    const job = this.#jobs.of(batch, sealingOf(this.#context, this.#stream) !== null);
    const making = new FileMaking(this.#context.files, this.#writing, job);
    return { batch, making, reason, upTo: this.#drain.position, begunAt: 0 };
  }

  /** Whether there is news of the file that is being made. */
  #collect(): boolean {
    const turned = this.#turned;
    const file = turned?.making.collect(() => this.unwritten()) ?? null;
    if (turned === null || file === null) return false;
    if (file === 'failed') this.#refuse();
    else this.#commit(turned, file);
    return true;
  }

  #refuse(): void {
    const error = this.#writing.error!;
    this.#drain.resume();
    this.#waiting.fail(error);
    if (this.#ending !== null) this.#ending.error = error;
  }

  #commit({ batch, begunAt, reason, upTo }: Turned, file: CommittedFile): void {
    const { now, post } = this.#context;
    this.#budget.spend(file.bytes);
    const info = {
      reason,
      seconds: (now() - begunAt) / 1000,
      rawBytes: batch.rawBytes,
      journalBytes: this.#keeping?.bytes ?? 0,
      journalSyncs: this.#keeping?.syncs ?? 0,
    };
    post({ kind: 'committed', stream: this.name, file, upTo, info });
    this.#keeping?.retire(upTo, file.lastKey);
    batch.clear();
    this.#spare = batch;
    this.#turned = null;
    Atomics.store(this.#words, HELD, this.#rows());
    this.#waiting.committed(file);
    this.#waiting.answer(upTo);
  }

  #fileDeadline(): number {
    if (this.#turned?.making.begun) return Number.POSITIVE_INFINITY;
    if (this.#turned !== null) return this.#writing.deadline;
    if (this.#batch.rows === 0) return Number.POSITIVE_INFINITY;
    const due = this.#rule.deadline();
    return this.#writing.failing ? Math.max(due, this.#writing.deadline) : due;
  }
}

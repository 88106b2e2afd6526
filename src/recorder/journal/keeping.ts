import { textOf } from '../../errors.js';
import type { Batch } from '../batch.js';
import type { Budget } from '../budget.js';
import { type RecorderContext, sealingOf } from '../context.js';
import type { Drain } from '../drain.js';
import type { Durability, RecordedStream } from '../protocol.js';
import { Trial } from '../trial.js';
import { Journal } from './journal.js';

/** Makes what the recorder has taken over as safe as its stream promises, and tells when it is. */
export class Keeping {
  readonly #context: RecorderContext;
  readonly #stream: string;
  readonly #durability: Durability;
  readonly #syncInterval: number;
  readonly #budget: Budget;
  readonly #mayPause: boolean;
  readonly #drain: Drain;
  #batch: Batch;
  readonly #journal: Journal;
  readonly #trial: Trial;
  /** When the oldest row that is not synced has to be. */
  #syncBy = Number.POSITIVE_INFINITY;
  /** Rows of before this sequence are as safe as promised. */
  #safe: number;
  /** A file is being made of rows that are not as safe: nothing behind them is, before they are or it is there. */
  #turned: Batch | null = null;
  /** The rest of the batch is not written: too much was. */
  #paused = false;
  /** Of the journal when it last retired: bytes and syncs. */
  #before = { bytes: 0, syncs: 0 };
  /** What AWAITED was when those who wait were last told; not a sequence of its own, only to be compared. */
  #told = 0;

  constructor(
    context: RecorderContext,
    stream: RecordedStream,
    budget: Budget,
    drain: Drain,
    batch: Batch,
    next: () => number,
  ) {
    this.#context = context;
    this.#stream = stream.name;
    this.#durability = stream.durability;
    this.#syncInterval = stream.syncInterval;
    this.#budget = budget;
    this.#mayPause = stream.writeBudget.stopJournal && stream.durability !== 'strict';
    this.#drain = drain;
    this.#batch = batch;
    this.#safe = drain.position;
    const keyring = sealingOf(context, stream)?.keyring ?? null;
    this.#journal = new Journal(context.disk, context.dataDir, stream.name, next, keyring);
    this.#trial = new Trial(context, stream.name, 'journal');
  }

  /** Writes what is not in the journal, and syncs it if that is due. False if there was nothing to do. */
  step(): boolean {
    if (!this.#trial.due) return false;
    if (this.#turned !== null) {
      this.#keepTurned();
      return true;
    }
    const paused = this.#isPaused();
    const rows = !paused && !this.#journal.has(this.#batch);
    const sync = this.#syncIsDue(rows);
    if (rows || sync)
      this.#trial.attempt(
        () => this.#work(rows, sync),
        () => this.#batch.rows,
      );
    if (paused) this.#reach();
    if (!this.#trial.failing) this.#tell();
    return rows || sync;
  }

  /** When there is something to do without a new message; `Infinity` for never. */
  deadline(): number {
    if (!this.#trial.failing) return this.#syncBy;
    // What could not be written may be in a file by now.
    const isKept = this.#turned === null && this.#journal.has(this.#batch) && !this.#journal.dirty;
    return isKept ? Number.POSITIVE_INFINITY : this.#trial.deadline;
  }

  /** Written and synced since the file before. */
  get bytes(): number {
    return this.#journal.bytes - this.#before.bytes;
  }

  get syncs(): number {
    return this.#journal.syncs - this.#before.syncs;
  }

  /** What failed is tried again at once. */
  retry(): void {
    this.#trial.hurry();
  }

  /** A segment of before; its messages up to this key will be in files of the stream as well. */
  adopt(segment: string, upTo: number): void {
    this.#journal.adopt(segment, upTo);
  }

  /** A file is made of the batch, and `next`, which is empty, takes its place. */
  turn(next: Batch): void {
    this.#turned = this.#batch;
    this.#batch = next;
    this.#syncBy = Number.POSITIVE_INFINITY;
    if (this.#paused) this.#endTurn();
    else if (this.#trial.due) this.#keepTurned();
    this.#paused = false;
  }

  /** The file is there: it has all rows of before this sequence, with keys up to the last one. */
  retire(upTo: number, lastKey: number): void {
    if (this.#turned !== null) this.#endTurn();
    this.#safe = Math.max(this.#safe, upTo);
    const isKept = this.#journal.has(this.#batch);
    if (isKept) this.#reachIfSynced();
    this.#before = { bytes: this.#journal.bytes, syncs: this.#journal.syncs };
    try {
      this.#journal.retire(lastKey);
    } catch (error) {
      // It has only rows that are known to be in a file, and is removed with the next, or after the next start.
      const text = `a journal segment of stream ${this.#stream} could not be removed yet: ${textOf(error)}`;
      this.#context.post({ kind: 'remark', text });
    }
    // What could not be written is in the file.
    if (isKept) this.#trial.succeeded();
    this.#tell();
  }

  /** Writes what of the batch that turned is not written; before it is, nothing of the next one is: its segment comes behind. */
  #keepTurned(): void {
    const journal = this.#journal;
    const turned = this.#turned!;
    const isKept = this.#trial.attempt(
      () => {
        if (!journal.has(turned)) this.#write(turned);
        journal.finish(this.#durability !== 'process');
      },
      () => turned.rows + this.#batch.rows,
    );
    if (isKept) this.#endTurn();
  }

  #endTurn(): void {
    this.#journal.turn(this.#turned!.lastKey);
    this.#turned = null;
  }

  #write(batch: Batch): void {
    this.#context.room.claim(0);
    const { bytes } = this.#journal;
    this.#journal.write(batch);
    this.#budget.spend(this.#journal.bytes - bytes);
  }

  #work(rows: boolean, sync: boolean): void {
    if (rows) {
      this.#write(this.#batch);
      if (this.#durability !== 'process' && this.#syncBy === Number.POSITIVE_INFINITY) {
        this.#syncBy = this.#context.now() + this.#syncInterval;
      }
    }
    if (sync) {
      this.#journal.sync();
      this.#syncBy = Number.POSITIVE_INFINITY;
    }
    this.#reachIfSynced();
  }

  /** All that was taken over is written. */
  #reachIfSynced(): void {
    if (this.#durability !== 'strict' || !this.#journal.dirty) this.#reach();
  }

  /** All that was taken over is as safe as promised. */
  #reach(): void {
    if (this.#turned === null) this.#safe = this.#drain.position;
  }

  /** Until the batch is in a file: what it has meanwhile is as safe as what is in the ring only. */
  #isPaused(): boolean {
    if (this.#mayPause && !this.#trial.failing && this.#budget.exhausted) this.#paused = true;
    return this.#paused;
  }

  #syncIsDue(rows: boolean): boolean {
    if (this.#durability === 'process' || !(rows || this.#journal.dirty)) return false;
    if (this.#context.now() >= this.#syncBy) return true;
    return this.#durability === 'strict' && this.#isAwaited();
  }

  #isAwaited(): boolean {
    return this.#drain.awaitedWord() !== this.#told;
  }

  /** Once for what came together, and only if somebody waits. */
  #tell(): void {
    const word = this.#drain.awaitedWord();
    if (word === this.#told || this.#drain.awaited(word) > this.#safe) return;
    this.#told = word;
    this.#context.post({ kind: 'safe', stream: this.#stream, upTo: this.#safe });
  }
}

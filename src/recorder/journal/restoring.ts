import type { Budget } from '../budget.js';
import { type RecorderContext, sealingOf } from '../context.js';
import type { CommittedFile } from '../file.js';
import type { FileJob } from '../files/job.js';
import { FileMaking } from '../files/making.js';
import type { RecordedStream } from '../protocol.js';
import { Trial } from '../trial.js';
import type { Keeping } from './keeping.js';
import type { Recovered, Recovery } from './recovery.js';

/** While a file is made of one segment, the next one is read. */
const MOST_AT_ONCE = 2;

const NOTHING_FOUND = { file: null, torn: 0, unreadable: false };

interface Found {
  readonly segment: Recovered;
  /** The broker's thread knows. */
  told: boolean;
  /** null: its rows are in files already. */
  readonly making: FileMaking | null;
  /** It is there, but the segment could not be removed. */
  file: CommittedFile | null;
}

/** Makes files of what an earlier process has left in its journal. */
export class Restoring {
  readonly #context: RecorderContext;
  readonly #stream: RecordedStream;
  readonly #budget: Budget;
  readonly #recovery: Recovery;
  readonly #keeping: Keeping | null;
  readonly #job: (segment: Recovered, encrypted: boolean) => FileJob;
  readonly #trial: Trial;
  /** Oldest first, which is the first to be done with. */
  readonly #found: Found[] = [];
  #over = false;

  /** `job`: what a file of a segment's rows is made of. `keeping`: null if the stream has no journal. */
  constructor(
    context: RecorderContext,
    stream: RecordedStream,
    budget: Budget,
    recovery: Recovery,
    keeping: Keeping | null,
    job: (segment: Recovered, encrypted: boolean) => FileJob,
  ) {
    this.#context = context;
    this.#stream = stream;
    this.#budget = budget;
    this.#recovery = recovery;
    this.#keeping = keeping;
    this.#job = job;
    this.#trial = new Trial(context, stream.name, 'recovery');
  }

  /** Nothing is left. */
  get over(): boolean {
    return this.#over;
  }

  /** A file is being made. */
  get busy(): boolean {
    return this.#found[0]?.making?.begun === true;
  }

  /** When it is to be tried again; `Infinity`: it does not fail. */
  get deadline(): number {
    return this.busy ? Number.POSITIVE_INFINITY : this.#trial.deadline;
  }

  /** What failed is tried again at once. */
  retry(): void {
    this.#trial.hurry();
  }

  /** Goes on with what was begun, and, unless it is `ending`, begins more. False if there was nothing to do. */
  step(ending: boolean): boolean {
    const [oldest] = this.#found;
    if (!ending && this.#begin()) return true;
    if (oldest !== undefined && this.#finish(oldest)) return true;
    if (this.#over || ending || !this.#trial.due || this.#found.length >= MOST_AT_ONCE) return false;
    if (oldest !== undefined && this.#recovery.left === 0) return false;
    this.#trial.attempt(
      () => this.#read(),
      () => 0,
    );
    return true;
  }

  #read(): void {
    const { files } = this.#context;
    const recovery = this.#recovery;
    const name = recovery.next;
    if (name === null) {
      this.#tell(NOTHING_FOUND, 0);
      return;
    }
    const segment = recovery.read();
    if (segment === null) {
      this.#remark(name, 'cannot be read');
      this.#tell({ ...NOTHING_FOUND, unreadable: true }, this.#found.length);
      return;
    }
    // What was encrypted stays so, whatever is said of the stream now.
    const encrypted = segment.sealed || sealingOf(this.#context, this.#stream) !== null;
    const making =
      segment.batch.rows === 0 ? null : new FileMaking(files, this.#trial, this.#job(segment, encrypted));
    this.#found.push({ segment, making, file: null, told: false });
  }

  /** Begins a file, or one that failed again; false if there is none to begin. */
  #begin(): boolean {
    return this.#found.some(({ file, making }) => file === null && making?.begin() === true);
  }

  /** Whether there is news of a segment. */
  #finish(found: Found): boolean {
    const { making, segment } = found;
    if (making !== null && found.file === null) {
      const file = making.collect(() => 0);
      if (file === 'failed') return true;
      if (file === null) return false;
      found.file = file;
      this.#budget.spend(file.bytes);
    }
    const { incomplete, inRing, name, tampered, torn } = segment;
    const unreadable = incomplete || tampered !== null;
    if (!found.told) {
      // Before the segment goes: the next thread removes files that this one made and did not tell.
      this.#tell({ file: found.file, torn, unreadable }, this.#found.length - 1);
      found.told = true;
    }
    if (!this.#trial.due) return false;
    const isDone = this.#trial.attempt(
      () => this.#recovery.done(segment),
      () => 0,
    );
    if (!isDone) return true;
    this.#found.shift();
    if (inRing !== null) this.#keeping?.adopt(name, inRing);
    if (tampered !== null) this.#remark(name, `was changed by somebody: ${tampered}`);
    return true;
  }

  /** `read`: how many segments are read that are not told yet. */
  #tell(found: { file: CommittedFile | null; torn: number; unreadable: boolean }, read: number): void {
    const left = this.#recovery.left + read;
    this.#over = left === 0;
    this.#context.post({ kind: 'restored', stream: this.#stream.name, ...found, left });
  }

  #remark(segment: string, text: string): void {
    const { name } = this.#stream;
    this.#context.post({
      kind: 'remark',
      text: `the journal's segment ${segment} of stream ${name} ${text}`,
    });
  }
}

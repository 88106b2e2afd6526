import type { Budget } from '../budget.js';
import { type RecorderContext, sealingOf } from '../context.js';
import type { FileJobs } from '../files/jobs.js';
import { FileMaking } from '../files/making.js';
import type { CommittedFile } from '../files/writer.js';
import type { RecordedStream } from '../protocol.js';
import { Trial } from '../trial.js';
import type { Keeping } from './keeping.js';
import type { Recovered, Recovery } from './recovery.js';

/** While a file is made of one segment, the next one is read. */
const MOST_AT_ONCE = 2;

const NOTHING_FOUND = { file: null, torn: 0, unreadable: false };

interface Found {
  readonly segment: Recovered;
  /** null: its rows are in files already. */
  readonly making: FileMaking | null;
}

/** Makes files of what an earlier process has left in its journal. */
export class Restoring {
  readonly #context: RecorderContext;
  readonly #stream: RecordedStream;
  readonly #budget: Budget;
  readonly #recovery: Recovery;
  readonly #keeping: Keeping | null;
  readonly #jobs: FileJobs;
  readonly #trial: Trial;
  /** Oldest first, which is the first to be done with. */
  readonly #found: Found[] = [];
  /** Their files are told. They are to go; those of which something is missing when that is noted. */
  #told: Recovered[] = [];
  #noted = false;
  #over = false;

  /** `keeping`: null if the stream has no journal. */
  constructor(
    context: RecorderContext,
    stream: RecordedStream,
    budget: Budget,
    recovery: Recovery,
    keeping: Keeping | null,
    jobs: FileJobs,
  ) {
    this.#context = context;
    this.#stream = stream;
    this.#budget = budget;
    this.#recovery = recovery;
    this.#keeping = keeping;
    this.#jobs = jobs;
    this.#trial = new Trial(context, stream.name, 'recovery');
  }

  /** Nothing is left. */
  get over(): boolean {
    return this.#over;
  }

  /** A file is being made, or a segment can go. */
  get busy(): boolean {
    return this.#isMaking || (this.#trial.due && this.#next !== undefined);
  }

  /** When it is to be tried again; `Infinity`: it does not fail. */
  get deadline(): number {
    return this.#isMaking ? Number.POSITIVE_INFINITY : this.#trial.deadline;
  }

  get #isMaking(): boolean {
    return this.#found[0]?.making?.begun === true;
  }

  /** The segment that goes next. */
  get #next(): Recovered | undefined {
    return this.#told.find((segment) => this.#noted || !isMissing(segment));
  }

  /** What was told to be missing is on the disk: the segments that told it are not needed for that any more. */
  noted(): void {
    this.#noted = true;
  }

  /** What failed is tried again at once. */
  retry(): void {
    this.#trial.hurry();
  }

  /** Goes on with what was begun, and, unless it is `ending`, begins more. False if there was nothing to do. */
  step(ending: boolean): boolean {
    const [oldest] = this.#found;
    if (this.#leave()) return true;
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
      this.#tell(NOTHING_FOUND);
      return;
    }
    const segment = recovery.read();
    // What was encrypted stays so, whatever is said of the stream now.
    const encrypted = segment.sealed || sealingOf(this.#context, this.#stream) !== null;
    const making =
      segment.batch.rows === 0
        ? null
        : new FileMaking(files, this.#trial, this.#jobs.of(segment.batch, encrypted));
    this.#found.push({ segment, making });
  }

  /** Begins a file, or one that failed again; false if there is none to begin. */
  #begin(): boolean {
    return this.#found.some(({ making }) => making?.begin() === true);
  }

  /** Whether there is news of a segment. */
  #finish(found: Found): boolean {
    const { making, segment } = found;
    const file = making === null ? null : making.collect(() => 0);
    if (file === 'failed') return true;
    if (file === null && making !== null) return false;
    const { fault, inRing, name, torn } = segment;
    this.#found.shift();
    this.#recovery.done(segment);
    if (file !== null) this.#budget.spend(file.bytes);
    // Before the segment goes: the next thread removes files that this one made and did not tell.
    this.#tell({ file, torn, unreadable: isMissing(segment) });
    if (fault !== null) this.#remark(name, fault);
    if (inRing === null) this.#told.push(segment);
    else this.#keeping?.adopt(name, inRing);
    return true;
  }

  /** Segments go. Whether one did, or could not. */
  #leave(): boolean {
    const segment = this.#next;
    if (segment === undefined || !this.#trial.due) return false;
    const hasGone = this.#trial.attempt(
      () => this.#recovery.leave(segment),
      () => 0,
    );
    if (hasGone) this.#told = this.#told.filter((one) => one !== segment);
    return true;
  }

  #tell(found: { file: CommittedFile | null; torn: number; unreadable: boolean }): void {
    const left = this.#recovery.left + this.#found.length;
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

/** Some of what it had, or of what came before, is nowhere. */
function isMissing({ fault, incomplete }: Recovered): boolean {
  return incomplete || fault !== null;
}

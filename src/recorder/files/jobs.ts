import type { Batch } from '../batch.js';
import type { RecorderContext } from '../context.js';
import { FIRST_NUMBER, type RecordedStream } from '../protocol.js';
import type { FileJob } from './job.js';

/** Numbers the files of one stream, and says what they are made of. */
export class FileJobs {
  readonly #context: RecorderContext;
  readonly #stream: RecordedStream;
  readonly #words: Int32Array;
  readonly #first: () => number;
  /** null: there was no file yet. */
  #next: number | null = null;

  /** `words`: those of `AddControl.shared`; `first`: the number of the first file, once it is known what others have left. */
  constructor(context: RecorderContext, stream: RecordedStream, words: Int32Array, first: () => number) {
    this.#context = context;
    this.#stream = stream;
    this.#words = words;
    this.#first = first;
  }

  /** A file with the rows of a batch, which stays as it is until the outcome is there. */
  of(batch: Batch, encrypted: boolean): FileJob {
    const { firstKey, lastKey, rows, rawBytes } = batch;
    return {
      stream: this.#stream.name,
      label: { firstKey, lastKey, seq: this.#number(), rows, rawBytes },
      columns: batch.columns(),
      compression: this.#stream.parquet.compression,
      encrypted,
      clock: this.#context.timeline.record(firstKey, lastKey),
    };
  }

  #number(): number {
    if (this.#next === null) {
      this.#next = this.#first();
      Atomics.store(this.#words, FIRST_NUMBER, this.#next);
    }
    return this.#next++;
  }
}

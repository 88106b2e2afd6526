import { advance, TAIL } from '../ring/layout.js';
import type { RingWriter } from '../ring/writer.js';
import type { CommittedFile } from './files/writer.js';
import { type AddControl, FIRST_NUMBER, HELD, type RecordedStream } from './protocol.js';

/** What the broker's thread knows of a stream in the worker: enough to start it again in another one. */
export class StreamHold {
  readonly stream: RecordedStream;
  readonly #writer: RingWriter;
  /** The worker writes them. */
  readonly #words = new Int32Array(new SharedArrayBuffer(8));
  /** A worker has had the stream. */
  #given = false;
  /** All numbers of files below are known. */
  #next: number;
  /** Others that are known. */
  readonly #told = new Set<number>();

  constructor(stream: RecordedStream, writer: RingWriter, next: number) {
    this.stream = stream;
    this.#writer = writer;
    this.#next = next;
  }

  committed({ seq }: CommittedFile): void {
    // There may be files that nobody knows; the worker's numbers are above theirs.
    this.#next = Math.max(this.#next, Atomics.load(this.#words, FIRST_NUMBER));
    this.#told.add(seq);
    // A file that failed for a while comes after others.
    for (const number of [...this.#told].sort((a, b) => a - b)) {
      if (number === this.#next) this.#next++;
      if (number < this.#next) this.#told.delete(number);
    }
  }

  /** Lets the worker see all messages of now. */
  publish(): void {
    this.#writer.publish();
  }

  /** What makes a worker record the stream from the first message on that is in no file. */
  control(): AddControl {
    const { shared, messages, size, keys, mask } = this.#writer.memory;
    const { reusable, written } = this.#writer;
    const first = Atomics.load(this.#words, FIRST_NUMBER);
    const untoldFrom = first === 0 ? Number.POSITIVE_INFINITY : Math.max(first, this.#next);
    const again = this.#given;
    this.#given = true;
    return {
      kind: 'add',
      stream: this.stream,
      ring: { shared, messages, size },
      from: reusable,
      again,
      numbers: { next: this.#next, told: [...this.#told], untoldFrom },
      ringKey: reusable < written ? keys[reusable & mask] : Number.POSITIVE_INFINITY,
      shared: this.#words.buffer,
    };
  }

  /** Messages that are in no file, while no worker runs. */
  unwritten(): number {
    return Atomics.load(this.#words, HELD) + this.#writer.written - this.#tail();
  }

  /**
   * Takes back what the ended worker had taken over. Returns how many of those messages are lost, because the
   * ring gave up its own copy when it was full (`drop-oldest` only), and no journal has them.
   */
  reclaim(): number {
    const { reusable, memory } = this.#writer;
    const lost = Atomics.load(this.#words, HELD) - (this.#tail() - reusable);
    Atomics.store(memory.control, TAIL, reusable | 0);
    Atomics.store(this.#words, HELD, 0);
    return this.stream.durability === 'none' ? lost : 0;
  }

  #tail(): number {
    return advance(this.#writer.reusable, Atomics.load(this.#writer.memory.control, TAIL));
  }
}

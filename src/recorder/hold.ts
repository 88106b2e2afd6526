import { advance, TAIL } from '../ring/layout.js';
import type { RingWriter } from '../ring/writer.js';
import type { CommittedFile } from './file.js';
import type { AddControl, RecordedStream } from './protocol.js';

/** What the broker's thread knows of a stream in the worker: enough to start it again in another one. */
export class StreamHold {
  readonly stream: RecordedStream;
  readonly #writer: RingWriter;
  /** Messages that the worker took over and did not commit; the worker writes it. */
  readonly #held = new Int32Array(new SharedArrayBuffer(4));
  #seq: number;

  constructor(stream: RecordedStream, writer: RingWriter, seq: number) {
    this.stream = stream;
    this.#writer = writer;
    this.#seq = seq;
  }

  committed({ seq }: CommittedFile): void {
    this.#seq = seq + 1;
  }

  /** Lets the worker see all messages of now. */
  publish(): void {
    this.#writer.publish();
  }

  /** What makes a worker record the stream from the first message on that is in no file. */
  control(): AddControl {
    const { shared, messages, size, keys, mask } = this.#writer.memory;
    const { reusable, written } = this.#writer;
    return {
      kind: 'add',
      stream: this.stream,
      ring: { shared, messages, size },
      from: reusable,
      seq: this.#seq,
      ringKey: reusable < written ? keys[reusable & mask] : Number.POSITIVE_INFINITY,
      held: this.#held.buffer,
    };
  }

  /** Messages that are in no file, while no worker runs. */
  unwritten(): number {
    return Atomics.load(this.#held, 0) + this.#writer.written - this.#tail();
  }

  /**
   * Takes back what the ended worker had taken over. Returns how many of those messages are lost, because the
   * ring gave up its own copy when it was full (`drop-oldest` only), and no journal has them.
   */
  reclaim(): number {
    const { reusable, memory } = this.#writer;
    const lost = Atomics.load(this.#held, 0) - (this.#tail() - reusable);
    Atomics.store(memory.control, TAIL, reusable | 0);
    Atomics.store(this.#held, 0, 0);
    return this.stream.durability === 'none' ? lost : 0;
  }

  #tail(): number {
    return advance(this.#writer.reusable, Atomics.load(this.#writer.memory.control, TAIL));
  }
}

type Argument = string | number | Buffer;

/** Arguments of one batch, about. Redis does nothing else while it executes one. */
const MOST_ARGUMENTS = 20_000;

interface Batch {
  readonly args: Argument[];
  readonly written: Promise<void>;
  resolve(): void;
  begun: boolean;
}

/**
 * Changes on their way to Redis: all of one turn of the event loop are one batch, and while one is being written the
 * next one fills. A batch has one promise, for everybody. If it cannot be written it waits, and what comes after it
 * too, until `resume`.
 */
export class Commit {
  readonly #send: (number: number, args: readonly Argument[]) => Promise<boolean>;
  readonly #batches: Batch[] = [];
  #written: Promise<void> = Promise.resolve();
  #number = 1;
  #writing = false;
  #paused = true;

  /** `send`: false if the batch has to be sent again later. */
  constructor(send: (number: number, args: readonly Argument[]) => Promise<boolean>) {
    this.#send = send;
  }

  add(...change: Argument[]): void {
    let last = this.#batches.at(-1);
    if (last === undefined || last.begun || last.args.length >= MOST_ARGUMENTS) {
      last = newBatch();
      this.#batches.push(last);
      this.#written = last.written;
      if (this.#batches.length === 1) setImmediate(this.#next);
    }
    last.args.push(...change);
  }

  /** Everything put so far is in Redis. */
  written(): Promise<void> {
    return this.#written;
  }

  /** As `written`; null if there is nothing to wait for. */
  get unwritten(): Promise<void> | null {
    return this.#batches.length === 0 ? null : this.#written;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    void this.#next();
  }

  readonly #next = async (): Promise<void> => {
    if (this.#writing) return;
    this.#writing = true;
    while (!this.#paused && this.#batches.length > 0) {
      const batch = this.#batches[0]!;
      batch.begun = true;
      if (!(await this.#send(this.#number, batch.args))) {
        this.#paused = true;
        break;
      }
      this.#number++;
      this.#batches.shift();
      batch.resolve();
    }
    this.#writing = false;
  };
}

function newBatch(): Batch {
  let resolve!: () => void;
  const written = new Promise<void>((done) => {
    resolve = done;
  });
  return { args: [], written, resolve, begun: false };
}

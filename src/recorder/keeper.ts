import { performance } from 'node:perf_hooks';
import { MqttStreamError, textOf } from '../errors.js';
import { Backoff } from './backoff.js';
import type { Control, Report, WorkerStart } from './protocol.js';
import { RecorderThread } from './thread.js';

/** A worker that ends sooner than this after it replaced another one is not replaced at once. */
const SHORT_LIFE_MS = 1000;
/** For ending a thread that does not answer. */
const GRACE_MS = 1000;

export interface KeeperEvents {
  /** What the next worker is started with. */
  start(): WorkerStart;
  /** What it is told first. */
  greet(): Iterable<Control>;
  report(report: Report): void;
  /** A worker ended by itself; another one follows. */
  end(cause: unknown): void;
}

/** Keeps one recorder thread running: when it ends, another one takes its place. */
export class ThreadKeeper {
  readonly #events: KeeperEvents;
  readonly #backoff = new Backoff(100, 10_000);
  #thread: RecorderThread | null = null;
  #startedAt = Number.NEGATIVE_INFINITY;
  #replacement: NodeJS.Timeout | undefined;
  #starting: { resolve(): void; reject(error: MqttStreamError): void } | null = null;
  #closed = false;

  constructor(events: KeeperEvents) {
    this.#events = events;
  }

  /** Resolves when the first thread runs; rejects with `INTERNAL` if it does not start. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
      this.#spawn();
    });
  }

  /** While there is no thread, nothing is sent: the next one is greeted. */
  post(control: Control): void {
    this.#thread?.post(control);
  }

  /** Ends the thread, wherever it is; one in a system call that hangs is left to itself. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#replacement);
    if (this.#thread !== null) await within(GRACE_MS, this.#thread.terminate());
  }

  #spawn(): void {
    this.#thread = new RecorderThread(
      this.#events.start(),
      (report) => this.#heed(report),
      (cause) => this.#onEnd(cause),
    );
    for (const control of this.#events.greet()) this.#thread.post(control);
  }

  #heed(report: Report): void {
    if (report.kind === 'ready') {
      this.#starting?.resolve();
      this.#starting = null;
    }
    this.#events.report(report);
  }

  #onEnd(cause: unknown): void {
    this.#thread = null;
    if (this.#closed) return;
    if (this.#starting !== null) {
      const text = `the recorder cannot start: ${textOf(cause)}`;
      this.#starting.reject(new MqttStreamError('INTERNAL', [text], { cause }));
      return;
    }
    this.#events.end(cause);
    const short = performance.now() - this.#startedAt < SHORT_LIFE_MS;
    if (!short) this.#backoff.reset();
    this.#replacement = setTimeout(
      () => {
        this.#startedAt = performance.now();
        this.#spawn();
      },
      short ? this.#backoff.next() : 0,
    );
  }
}

/** What the promise resolves to, or `null` after `ms` milliseconds. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

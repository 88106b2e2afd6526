import { MqttStreamError } from '../errors.js';
import type { Message } from '../ring/record.js';
import type { NamedKey } from '../seal/keyring.js';
import { BACKGROUND_NICE } from '../thread-priority.js';
import { messagesOf } from './batch.js';
import type { RowQuery } from './file-scan.js';
import { ReadingThread } from './reading-thread.js';

export type { RowQuery } from './file-scan.js';

export interface FileReaderOptions {
  readonly log: { error(fields: object, message: string): void };
  /** For encrypted files. */
  readonly keys?: readonly NamedKey[];
  /** The module that the thread runs. */
  readonly entry?: URL;
}

/** Reads messages out of Parquet files, in a thread of its own that starts with the first read. */
export class FileReader {
  readonly #log: FileReaderOptions['log'];
  readonly #entry: URL;
  readonly #keys: readonly NamedKey[];
  #thread: ReadingThread | null = null;
  #closed = false;

  private constructor(options: FileReaderOptions) {
    this.#log = options.log;
    this.#keys = options.keys ?? [];
    this.#entry = options.entry ?? new URL('./file-worker.js', import.meta.url);
  }

  static start(options: FileReaderOptions): FileReader {
    return new FileReader(options);
  }

  /**
   * The messages of one file, in key order, in batches of at most 1000 messages or about 1 MiB. The payloads of a
   * batch are views of one buffer. The thread works only for the one batch after the one being consumed; the file
   * stays open until the end or `return()`, which cancels at once.
   * Throws `FILE_CORRUPT` for a file that cannot be read (where the system refused it, `cause.code` tells why, such
   * as `ENOENT`, or that a key for it is not there, `KEY_MISSING` or `KEY_WRONG`), `INTERNAL` if the thread broke down, `SHUTTING_DOWN` after `close`.
   */
  rows(query: RowQuery): AsyncGenerator<Message[], void> {
    const cancel = new AbortController();
    const batches = this.#read(query, cancel.signal);
    const finish = batches.return.bind(batches);
    // A generator's own return() waits for the batch that is just being looked for.
    batches.return = (value) => {
      cancel.abort();
      return finish(value);
    };
    return batches;
  }

  async *#read(query: RowQuery, cancelled: AbortSignal): AsyncGenerator<Message[], void> {
    if (this.#closed) throw new MqttStreamError('SHUTTING_DOWN');
    this.#thread ??= this.#startThread();
    const call = this.#thread.open(query);
    cancelled.addEventListener('abort', () => call.close());
    try {
      call.ask();
      for (;;) {
        const answer = await call.answer();
        if (answer.kind === 'end') return;
        if (answer.kind === 'failed') {
          const cause = Object.assign(new Error(answer.reason), { code: answer.code });
          throw new MqttStreamError('FILE_CORRUPT', [query.path, answer.reason], { cause });
        }
        call.ask();
        yield messagesOf(answer.batch);
      }
    } finally {
      call.close();
    }
  }

  /** Ends the thread; what is being read throws `SHUTTING_DOWN`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread?.stop(new MqttStreamError('SHUTTING_DOWN'));
  }

  #startThread(): ReadingThread {
    return new ReadingThread(this.#entry, { nice: BACKGROUND_NICE, keys: this.#keys }, (error) => {
      this.#thread = null;
      this.#log.error(
        { err: error },
        'the thread that reads files broke down; the next read starts another one',
      );
    });
  }
}

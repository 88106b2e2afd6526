import { streamFolder } from '../catalog/naming.js';
import { MqttStreamError, textOf } from '../errors.js';
import type { RingWriter } from '../ring/writer.js';
import { BACKGROUND_NICE } from '../thread-priority.js';
import { Doorbell } from './doorbell.js';
import type { CommittedFile } from './files/writer.js';
import { StreamHold } from './hold.js';
import { ThreadKeeper, within } from './keeper.js';
import type { CloseResult, RecorderOptions } from './options.js';
import type {
  Answer,
  Control,
  DigestResult,
  RecordedStream,
  Report,
  Request,
  StreamCount,
  Task,
} from './protocol.js';
import { PendingRequests } from './requests.js';
import type { Correction } from './timeline.js';

const FAILED: Record<Task, string> = {
  file: 'a file could not be written',
  journal: 'the journal could not be written (acknowledgements wait for it)',
  recovery: 'what an earlier process left in its journal could not be put into a file',
};
const RECOVERED: Record<Task, string> = {
  file: 'files can be written again',
  journal: 'the journal can be written again',
  recovery: 'the journal of an earlier process can be put into files again',
};

/** Records rings to Parquet files in one worker thread. This side belongs to the broker's thread. */
export class Recorder {
  readonly doorbell = new Doorbell();
  readonly #options: RecorderOptions;
  readonly #keeper: ThreadKeeper;
  readonly #streams = new Map<string, StreamHold>();
  readonly #requests = new PendingRequests();
  #corrections: readonly Correction[];
  #closing: Promise<CloseResult> | null = null;
  #stopped: (unwritten: readonly StreamCount[]) => void = () => {};

  private constructor(options: RecorderOptions) {
    this.#options = options;
    this.#corrections = options.corrections;
    this.#keeper = new ThreadKeeper({
      start: () => {
        const { dataDir, bootId, clockBase, modules = {} } = options;
        const { version = 'unknown', nice = BACKGROUND_NICE, reserve = 0 } = options;
        const { keys = [], sentOpen = false } = options;
        const corrections = this.#corrections;
        const doorbell = this.doorbell.shared;
        const worker = { version, doorbell, nice, keys, sentOpen, reserve, modules };
        return { dataDir, bootId, clockBase, corrections, ...worker };
      },
      greet: () => this.#greet(),
      report: (report) => this.#heed(report),
      end: (cause) => this.#replaced(cause),
    });
  }

  /** Resolves when the worker runs; rejects with `INTERNAL` if it does not start. */
  static async start(options: RecorderOptions): Promise<Recorder> {
    const recorder = new Recorder(options);
    await recorder.#keeper.start();
    return recorder;
  }

  /**
   * Records a ring, beginning with its first message that may not be overwritten. `nextSeq`: number of its next
   * file. Throws `STREAM_EXISTS` and `SHUTTING_DOWN`.
   */
  add(stream: RecordedStream, ring: RingWriter, nextSeq: number): void {
    this.#checkOpen();
    streamFolder(stream.name); // throws for a name that must not become a path
    if (this.#streams.has(stream.name)) throw new MqttStreamError('STREAM_EXISTS', [stream.name]);
    const hold = new StreamHold(stream, ring, nextSeq);
    this.#streams.set(stream.name, hold);
    this.#post(hold.control());
  }

  /** Writes what is left and forgets the stream; if that fails, rejects with `FLUSH_FAILED` and keeps it. */
  async remove(name: string): Promise<void> {
    this.#checkStream(name).publish();
    await this.#ask((id) => ({ kind: 'remove', id, stream: name }));
    this.#streams.delete(name);
  }

  /**
   * Resolves when all messages of now are in files, with the last one written for it; `null` if none was needed.
   * Rejects with `FLUSH_FAILED`; the messages are kept then and written later.
   */
  async flush(name: string, reason: 'request' | 'full'): Promise<CommittedFile | null> {
    this.#checkStream(name).publish();
    return (await this.#ask((id) => ({ kind: 'flush', id, stream: name, reason }))) as CommittedFile | null;
  }

  /** There may be room on the disk: what failed is tried again at once. */
  retry(name: string): void {
    this.#post({ kind: 'retry', stream: name });
  }

  /** What was told to be missing of what was left is on the disk. */
  noted(stream: string): void {
    this.#post({ kind: 'noted', stream });
  }

  /** So many bytes were written of the stream by others: they count for its budget. */
  wrote(stream: string, bytes: number): void {
    this.#post({ kind: 'wrote', stream, bytes });
  }

  /** All of the clock's corrections, for the metadata of files to come. */
  correct(corrections: readonly Correction[]): void {
    this.#corrections = corrections;
    this.#post({ kind: 'correct', corrections });
  }

  /**
   * Checksum of a file; `path` is relative to the data folder. `open`: of what is in an encrypted file of so many
   * bytes. Rejects with `TRANSFER_READ_FAILED`.
   */
  async hash(path: string, open?: number): Promise<DigestResult> {
    this.#checkOpen();
    return (await this.#ask((id) => ({
      kind: 'hash',
      id,
      path,
      ...(open === undefined ? {} : { open }),
    }))) as DigestResult;
  }

  /** Writes everything and ends the worker; after `timeoutMs` ends it anyway. */
  close(timeoutMs: number): Promise<CloseResult> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<CloseResult> {
    const stopped = new Promise<readonly StreamCount[]>((resolve) => {
      this.#stopped = resolve;
    });
    for (const hold of this.#streams.values()) hold.publish();
    this.#post({ kind: 'stop' });
    const answer = await within(timeoutMs, stopped);
    await this.#keeper.close();
    this.#requests.rejectAll('SHUTTING_DOWN');
    return { unwritten: answer ?? this.#count((hold) => hold.unwritten()) };
  }

  *#greet(): Iterable<Control> {
    for (const hold of this.#streams.values()) yield hold.control();
    yield* this.#requests.requests();
    if (this.#closing !== null) yield { kind: 'stop' };
  }

  #heed(report: Report): void {
    const { log } = this.#options;
    switch (report.kind) {
      case 'committed':
        this.#streams.get(report.stream)?.committed(report.file);
        this.#options.onCommit(report.stream, report.file, report.upTo, report.info);
        break;
      case 'safe':
        this.#options.onSafe?.(report.stream, report.upTo);
        break;
      case 'restored':
        if (report.file !== null) this.#streams.get(report.stream)?.committed(report.file);
        this.#options.onRestored?.(report.stream, report);
        break;
      case 'failed': {
        const { stream, what, error, messages, full } = report;
        log.warn({ stream, messages }, `${FAILED[what]} and is tried again: ${error}`);
        this.#options.onFailure?.(stream, what, error, full);
        break;
      }
      case 'remark':
        log.warn({}, report.text);
        break;
      case 'recovered':
        log.info({ stream: report.stream }, RECOVERED[report.what]);
        this.#options.onRecovered?.(report.stream, report.what);
        break;
      case 'no-room':
        this.#options.onNoRoom?.(report.stream);
        break;
      case 'budget': {
        const { stream, exhausted } = report;
        if (exhausted)
          log.warn({ stream }, 'more is written than writeBudget allows: files are made less often');
        else log.info({ stream }, 'within writeBudget again');
        this.#options.onBudget?.(stream, exhausted);
        break;
      }
      case 'done':
        this.#requests.done(report.id, report.answer);
        break;
      case 'undone':
        this.#requests.undone(report.id, report.error);
        break;
      case 'stopped':
        this.#stopped(report.unwritten);
        break;
      default: // 'ready' is about the thread, not about streams
    }
  }

  #replaced(cause: unknown): void {
    const lost = this.#count((hold) => hold.reclaim());
    this.#options.log.error({ lost }, `the recorder's thread ended and is replaced: ${textOf(cause)}`);
    this.#options.onReplaced?.(lost);
  }

  #count(messagesOf: (hold: StreamHold) => number): StreamCount[] {
    return [...this.#streams]
      .map(([stream, hold]) => ({ stream, messages: messagesOf(hold) }))
      .filter(({ messages }) => messages > 0);
  }

  #ask(make: (id: number) => Request): Promise<Answer> {
    return this.#requests.ask(make, (request) => this.#post(request));
  }

  #post(control: Control): void {
    this.#keeper.post(control);
    this.doorbell.wake();
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw new MqttStreamError('SHUTTING_DOWN');
  }

  #checkStream(name: string): StreamHold {
    this.#checkOpen();
    const hold = this.#streams.get(name);
    if (hold !== undefined) return hold;
    throw new MqttStreamError('STREAM_NOT_FOUND', [name, [...this.#streams.keys()].join(', ')]);
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import type { Catalog } from './catalog/catalog.js';
import type { FileEntry } from './catalog/entry.js';
import type { Clock } from './clock/clock.js';
import type { Correction } from './clock/correction.js';
import type { StreamConfig } from './config/schema.js';
import { DiskPolicy, type StreamState } from './disk-policy.js';
import { MqttStreamError } from './errors.js';
import { Exchange } from './exchange/exchange.js';
import { Handover, type TakeBatch } from './exchange/handover.js';
import { Safety } from './exchange/safety.js';
import { type Sink, Stream } from './exchange/stream.js';
import { GapLogs, type GapLogsFiles } from './gap-logs.js';
import type { Logger } from './log.js';
import { Merges } from './merges.js';
import type { CommittedFile } from './recorder/file.js';
import { within } from './recorder/keeper.js';
import type { FlushInfo, RecorderModules, Restored, StreamCount, Task } from './recorder/protocol.js';
import { Recorder } from './recorder/recorder.js';
import type { Keyring } from './seal/keyring.js';
import { offered } from './seal/offered.js';
import { type RecoveryReport, type StreamStatus, statusOf } from './stream-status.js';
import { VERSION } from './version.js';

export interface StreamsOptions {
  readonly dataDir: string;
  readonly bootId: string;
  /** Bytes of the disk that are left free. */
  readonly reserve: number;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly files: GapLogsFiles;
  readonly log: Logger;
  /** The process before ended without writing what its rings held. */
  readonly afterCrash: boolean;
  readonly keyring: Keyring;
  /** Whether encrypted files are sent decrypted. */
  readonly sentOpen: boolean;
  readonly onBatch?: TakeBatch;
  readonly recorderModules?: RecorderModules;
}

/** How often it is looked what is old, and what can be merged. */
const LOOK_EVERY_MS = 60_000;
/** Between two attempts to make room while closing. */
const CLOSE_RETRY_MS = 50;

interface Held {
  readonly config: StreamConfig;
  readonly stream: Stream;
  /** null: recorded to files. */
  readonly handover: Handover | null;
  readonly disk: DiskPolicy;
  /** What the process before has left in its journal is in files. */
  readonly whenRestored: Promise<void>;
  readonly restored: () => void;
  /** Some of what the process before has left could not be read. */
  unreadable: boolean;
  readonly recovery: RecoveryReport;
}

/** The streams of a running broker: exchange, recorder and catalogue tied together. */
export class Streams {
  readonly exchange: Exchange;
  readonly #options: StreamsOptions;
  /** Until all of it is written: longer than the exchange knows it. */
  readonly #held = new Map<string, Held>();
  /** Files are over the limits and not listed any more. */
  onRetired: (stream: string, files: readonly FileEntry[]) => void = () => {};
  /** The disk fails a stream, or does not any more. */
  onState: (stream: string, state: StreamState) => void = () => {};
  #retention!: NodeJS.Timeout;
  #recorder!: Recorder;
  #gapLogs!: GapLogs;
  #gapsSaved = false;
  readonly #merges: Merges;

  private constructor(options: StreamsOptions) {
    this.#options = options;
    this.exchange = new Exchange((stream, error) =>
      options.log.debug({ stream, err: error }, 'publishers go on waiting for room'),
    );
    this.#merges = new Merges(
      options,
      (name) => this.#held.get(name),
      (name, bytes) => this.#recorder.wrote(name, bytes),
    );
  }

  static async start(options: StreamsOptions): Promise<Streams> {
    const streams = new Streams(options);
    const { bootId, clock, dataDir, keyring, log, reserve, recorderModules: modules, sentOpen } = options;
    streams.#gapLogs = await GapLogs.open({ ...options, after, lastKeyBefore: clock.last });
    streams.#recorder = await Recorder.start({
      dataDir,
      bootId,
      clockBase: clock.base,
      corrections: clock.corrections,
      version: VERSION,
      reserve,
      log,
      keys: keyring.keys,
      sentOpen,
      ...(modules === undefined ? {} : { modules }),
      onCommit: (name, file, upTo, info) => streams.#committed(name, file, upTo, info),
      onSafe: (name, upTo) => streams.#held.get(name)?.stream.safety?.reached(upTo),
      onRestored: (name, found) => streams.#restored(name, found),
      onFailure: (name, what, text, full) => streams.#failed(name, what, text, full),
      onRecovered: (name, what) => streams.#held.get(name)?.disk.recovered(what),
      onNoRoom: (name) => streams.#held.get(name)?.disk.noRoom(),
      onBudget: (name, exhausted) => {
        const held = streams.#held.get(name);
        if (held !== undefined) held.stream.stats.overBudget = exhausted;
      },
      onReplaced: (lost) => streams.#replaced(lost),
    });
    options.catalog.onLoaded = (name) => {
      streams.#gapLogs.loaded(name);
      streams.#retain(name);
      streams.#merges.look(name);
    };
    streams.#retention = setInterval(() => {
      for (const name of streams.#held.keys()) {
        streams.#retain(name);
        streams.#merges.look(name);
      }
    }, LOOK_EVERY_MS);
    streams.#retention.unref();
    return streams;
  }

  /**
   * From now on the stream captures. Throws STREAM_EXISTS, also while one of this name is being removed, and KEY_MISSING
   * if it is encrypted and there is no key.
   */
  add(config: StreamConfig): Stream {
    const { name } = config;
    const { catalog, keyring, onBatch } = this.#options;
    if (this.#held.has(name)) throw new MqttStreamError('STREAM_EXISTS', [name]);
    if (config.encryption.enabled && keyring.keys.length === 0)
      throw keyring.missing(`stream "${name}", which is encrypted,`);
    const stream = new Stream(config, this.#gapLogs.of(name));
    const handover =
      config.ring.whenFull === 'return' && onBatch !== undefined
        ? this.#handover(stream, config, onBatch)
        : null;
    if (handover === null) this.#recorder.add(config, stream.ring, catalog.nextSeq(name));
    stream.sink = handover ?? this.#recording(stream);
    if (handover === null && config.durability !== 'none') stream.safety = new Safety();
    this.exchange.add(stream);
    let restored = () => {};
    const whenRestored = new Promise<void>((resolve) => {
      restored = resolve;
    });
    if (handover !== null) restored();
    const disk = this.#policyOf(stream, config);
    const recovery = {
      running: handover === null,
      messages: 0,
      files: 0,
      tornBytes: 0,
      lostAtMostMs: 0,
    };
    this.#held.set(name, {
      config,
      stream,
      handover,
      disk,
      whenRestored,
      restored,
      recovery,
      unreadable: false,
    });
    this.#gapLogs.begin(stream);
    recovery.lostAtMostMs = this.#gapLogs.crashMs(stream);
    stream.recovering = handover === null;
    this.#retain(name);
    this.onState(name, 'ok');
    return stream;
  }

  /**
   * Resolves when it is on the disk what crashes may have taken of the streams, or cannot be written. Before that nothing is to be
   * captured: after another crash the first messages of this process would tell that nothing is missing before them.
   */
  async begun(): Promise<void> {
    await Promise.all([...this.#held.keys()].map((name) => this.#gapLogs.saved(name)));
  }

  /** All that the process before has left in its journals is in files, or so many milliseconds have passed. */
  async restored(ms: number): Promise<void> {
    await within(ms, Promise.all([...this.#held.values()].map(({ whenRestored }) => whenRestored)));
  }

  /** Captures no more and writes what there is; the files stay. If that fails, the stream goes on: FLUSH_FAILED. */
  async remove(name: string): Promise<void> {
    const stream = this.exchange.remove(name);
    const { handover } = this.#held.get(name)!;
    try {
      await (handover === null ? this.#recorder.remove(name) : handover.flush());
    } catch (error) {
      this.exchange.add(stream);
      throw error;
    }
    handover?.close();
    this.#merges.remove(name);
    this.#held.delete(name);
  }

  /** The last file that was needed to empty the ring; null if none was. Rejects with FLUSH_FAILED. */
  async flush(name: string): Promise<FileEntry | null> {
    const file = (await this.exchange.get(name).sink.flush('request')) as CommittedFile | undefined | null;
    return file == null ? null : (this.#options.catalog.find(name, file.name) ?? { ...file, stream: name });
  }

  async hash(file: FileEntry): Promise<string> {
    const { decrypt } = offered(file, this.#options.sentOpen);
    const { sha256 } = await this.#recorder.hash(file.path, decrypt ? file.bytes : undefined);
    this.#options.catalog.setSha256(file, sha256);
    return sha256;
  }

  /** All of the clock's corrections, for the metadata of files to come. */
  correct(corrections: readonly Correction[]): void {
    this.#recorder.correct(corrections);
  }

  /** The streams whose last attempt to write a file or the journal failed, and why. */
  failures(): ReadonlyMap<string, string> {
    const failures = new Map<string, string>();
    for (const [name, { disk }] of this.#held) if (disk.failure !== null) failures.set(name, disk.failure);
    return failures;
  }

  /** After `close`: all that is missing is on the disk. */
  get gapsSaved(): boolean {
    return this.#gapsSaved;
  }

  /** How a stream is. Throws STREAM_NOT_FOUND. */
  status(name: string): StreamStatus {
    const stream = this.exchange.get(name);
    const { config, disk, recovery } = this.#held.get(name)!;
    return statusOf(stream, config, disk, this.#options.catalog, recovery);
  }

  /** Writes everything, at most for so long; answers with what is in no file. */
  async close(timeoutMs: number): Promise<readonly StreamCount[]> {
    clearInterval(this.#retention);
    const merged = this.#merges.close();
    const until = performance.now() + timeoutMs;
    const left = () => Math.max(0, until - performance.now());
    // Publishers that wait for room get it, as long as there is time.
    while (this.exchange.waitingMessages > 0 && left() > 0) {
      const flushes = [...this.exchange.all()].map((stream) => stream.sink.flush('request'));
      await within(left(), Promise.allSettled(flushes));
      // One that fails does so at once.
      await delay(Math.min(left(), CLOSE_RETRY_MS));
    }
    const rest = new Map<string, number>();
    for (const [name, { handover, stream }] of this.#held) {
      rest.set(name, stream.waiting);
      if (handover === null) continue;
      // What has failed was reported, and is counted here.
      await within(left(), Promise.allSettled([handover.flush()]));
      handover.close();
      rest.set(name, stream.waiting + stream.ring.written - stream.ring.committed);
    }
    const { unwritten } = await this.#recorder.close(left());
    for (const { stream, messages } of unwritten) rest.set(stream, (rest.get(stream) ?? 0) + messages);
    await merged;
    await this.#options.catalog.close();
    this.#gapsSaved = (await within(left(), this.#gapLogs.close())) ?? false;
    return [...rest]
      .filter(([, messages]) => messages > 0)
      .map(([stream, messages]) => ({ stream, messages }));
  }

  /** In one turn the file becomes visible and the ring gives its messages up: they are never in both, nor in none. */
  #committed(name: string, file: CommittedFile, upTo: number, info: FlushInfo): void {
    const stream = this.#held.get(name)?.stream;
    this.#options.catalog.add({ ...file, stream: name });
    this.#options.log.debug(
      { stream: name, file: file.name, rows: file.rows, ...info },
      'a file was written',
    );
    if (stream === undefined) return;
    stream.committed(upTo, file.lastKey);
    for (const follower of stream.followers) follower.written();
    stream.stats.flushes++;
    stream.stats.flushSeconds += info.seconds;
    stream.stats.rowsWritten += file.rows;
    stream.stats.bytesWritten += file.bytes;
    stream.stats.journalBytes += info.journalBytes;
    stream.stats.journalSyncs += info.journalSyncs;
    this.exchange.admitWaiting();
    this.#retain(name);
    this.#merges.look(name);
  }

  #handover(stream: Stream, { name, flush }: StreamConfig, take: TakeBatch): Handover {
    return new Handover(
      stream,
      take,
      flush,
      () => this.exchange.admitWaiting(),
      (error) =>
        this.#options.log.error({ stream: name, err: error }, 'a batch was not taken and is offered again'),
    );
  }

  #recording(stream: Stream): Sink {
    const { followers, name, ring } = stream;
    const { doorbell } = this.#recorder;
    let due = false;
    const publish = () => {
      due = false;
      if (stream.publish()) doorbell.wake();
      else doorbell.ring();
      for (const follower of followers) follower.captured();
    };
    return {
      captured: () => {
        if (due) return;
        due = true;
        setImmediate(publish);
      },
      flush: async (reason) => {
        if (reason === 'request' || ring.pressure < 1) return this.#recorder.flush(name, reason);
        // The recorder sees this by itself; another request would only cut off a small file behind it.
        stream.publish();
        doorbell.wake();
        return null;
      },
    };
  }

  /** What an earlier process had in its journal is in files now. */
  #restored(name: string, { file, torn, left, unreadable }: Restored): void {
    const { catalog, log } = this.#options;
    if (file !== null) catalog.add({ ...file, stream: name });
    if (file !== null || torn > 0) {
      log.info(
        { stream: name, file: file?.name, rows: file?.rows ?? 0, torn, left },
        'a journal was put into a file',
      );
    }
    const held = this.#held.get(name);
    if (held === undefined) return;
    const { stream, recovery } = held;
    held.unreadable ||= unreadable;
    recovery.messages += file?.rows ?? 0;
    recovery.files += file === null ? 0 : 1;
    recovery.tornBytes += torn;
    if (left > 0) return;
    stream.restored();
    // What a thread of this process has left says nothing of the process before.
    if (recovery.running) {
      this.#gapLogs.narrow(stream, held.unreadable);
      stream.recovering = false;
      recovery.running = false;
      recovery.lostAtMostMs = this.#gapLogs.crashMs(stream);
      if (this.#options.afterCrash)
        log.warn({ stream: name, ...recovery }, 'the process before did not end in order');
    }
    for (const follower of stream.followers) follower.written();
    held.restored();
    this.#merges.add(held.config);
    this.#retain(name);
  }

  #failed(name: string, what: Task, text: string, full: boolean): void {
    const held = this.#held.get(name);
    if (held === undefined) return;
    if (what === 'file') held.stream.stats.flushFailures++;
    held.disk.failed(what, text, full);
  }

  #policyOf(stream: Stream, { name, onDiskFull: policy }: StreamConfig): DiskPolicy {
    const { catalog, clock, log } = this.#options;
    return new DiskPolicy({
      stream,
      policy,
      oldest: () => catalog.oldest(name),
      delete: async (file) => {
        const deleted = await catalog.delete(file, clock.now());
        if (deleted) this.onRetired(name, [file]);
        return deleted;
      },
      gapsSaved: () => this.#gapLogs.saved(name),
      retry: () => this.#recorder.retry(name),
      released: () => this.exchange.admitWaiting(),
      onState: (state) => this.onState(name, state),
      log,
    });
  }

  #replaced(lost: readonly StreamCount[]): void {
    // Until what the ended thread has left in a journal is in files, between others.
    for (const name of this.#held.keys()) this.#merges.remove(name);
    for (const { config, disk, stream } of this.#held.values()) {
      const complete = !disk.fails('journal') && !stream.stats.overBudget;
      if (config.durability !== 'none') stream.recorderReplaced(complete);
      disk.restart();
      stream.stats.overBudget = false;
    }
    for (const { stream: name } of lost) {
      const stream = this.#held.get(name)?.stream;
      if (stream === undefined) continue;
      stream.recorderLost();
      for (const follower of stream.followers) follower.written();
    }
  }

  #retain(name: string): void {
    const config = this.#held.get(name)?.config;
    if (config === undefined) return;
    const { catalog, clock, log } = this.#options;
    catalog
      .retain(name, config.retention, clock.now(), (key) => clock.ageOf(key))
      .then((files) => {
        if (files.length === 0) return;
        this.#gapLogs.of(name).forget(Math.max(...files.map(({ lastKey }) => lastKey)));
        this.onRetired(name, files);
      })
      .catch((error: unknown) => log.error({ stream: name, err: error }, 'old files could not be deleted'));
  }
}

/** Nothing to stay alive for: the end of the process writes gaps, too. */
function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  timer.unref();
  return () => clearTimeout(timer);
}

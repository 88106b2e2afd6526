import { setTimeout as delay } from 'node:timers/promises';
import type { FileEntry } from '../catalog/entry.js';
import type { Correction } from '../clock/correction.js';
import type { StreamConfig } from '../config/schema.js';
import { MqttStreamError } from '../errors.js';
import { Exchange } from '../exchange/exchange.js';
import type { TakeBatch } from '../exchange/handover.js';
import type { Stream } from '../exchange/stream.js';
import type { CommittedFile } from '../recorder/files/writer.js';
import { within } from '../recorder/keeper.js';
import type { StreamCount } from '../recorder/protocol.js';
import type { Recorder } from '../recorder/recorder.js';
import { offered } from '../seal/offered.js';
import type { StreamState } from './disk-policy.js';
import { GapLogs, type GapLogsFiles } from './gap-logs.js';
import { HeldStream, type HeldStreamParts } from './held-stream.js';
import { Merges } from './merges.js';
import { type RecordingOptions, startRecorder } from './reports.js';
import { Retention } from './retention.js';
import type { StreamStatus } from './status.js';

export interface StreamsOptions extends RecordingOptions {
  readonly files: GapLogsFiles;
  /** The process before ended without writing what its rings held. */
  readonly afterCrash: boolean;
  readonly onBatch?: TakeBatch;
}

/** How often it is looked what is old, and what can be merged. */
const LOOK_EVERY_MS = 60_000;
/** Between two attempts to make room while closing. */
const CLOSE_RETRY_MS = 50;

/** The streams of a running broker: exchange, recorder and catalogue tied together. */
export class Streams {
  readonly exchange: Exchange;
  readonly #options: StreamsOptions;
  /** Until all of it is written: longer than the exchange knows it. */
  readonly #held: Map<string, HeldStream>;
  readonly #parts: HeldStreamParts;
  readonly #looking: NodeJS.Timeout;
  #gapsSaved = false;
  /** Files are over the limits and not listed any more. */
  onRetired: (stream: string, files: readonly FileEntry[]) => void = () => {};
  /** The disk fails a stream, or does not any more. */
  onState: (stream: string, state: StreamState) => void = () => {};

  private constructor(
    options: StreamsOptions,
    held: Map<string, HeldStream>,
    gapLogs: GapLogs,
    recorder: Recorder,
  ) {
    const { afterCrash, catalog, clock, log, onBatch } = options;
    const onRetired = (stream: string, files: readonly FileEntry[]) => this.onRetired(stream, files);
    this.#options = options;
    this.#held = held;
    this.exchange = new Exchange((stream, error) =>
      log.debug({ stream, err: error }, 'publishers go on waiting for room'),
    );
    this.#parts = {
      catalog,
      clock,
      exchange: this.exchange,
      recorder,
      gapLogs,
      retention: new Retention({ catalog, clock, gapLogs, onRetired, log }),
      merges: new Merges(
        options,
        (name) => held.get(name),
        (name, bytes) => recorder.wrote(name, bytes),
      ),
      onBatch,
      afterCrash,
      onRetired,
      onState: (stream, state) => this.onState(stream, state),
      log,
    };
    catalog.onLoaded = (name) => {
      gapLogs.loaded(name);
      held.get(name)?.lookAtFiles();
    };
    this.#looking = setInterval(() => {
      for (const stream of held.values()) stream.lookAtFiles();
    }, LOOK_EVERY_MS);
    this.#looking.unref();
  }

  static async start(options: StreamsOptions): Promise<Streams> {
    const held = new Map<string, HeldStream>();
    const gapLogs = await GapLogs.open({ ...options, lastKeyBefore: options.clock.last });
    return new Streams(options, held, gapLogs, await startRecorder(options, held));
  }

  /**
   * From now on the stream captures. Throws STREAM_EXISTS, also while one of this name is being removed, and KEY_MISSING
   * if it is encrypted and there is no key.
   */
  add(config: StreamConfig): Stream {
    const { encryption, name } = config;
    const { keyring } = this.#options;
    if (this.#held.has(name)) throw new MqttStreamError('STREAM_EXISTS', [name]);
    if (encryption.enabled && keyring.keys.length === 0)
      throw keyring.missing(`stream "${name}", which is encrypted,`);
    const held = new HeldStream(config, this.#parts);
    this.#held.set(name, held);
    this.onState(name, 'ok');
    return held.stream;
  }

  /**
   * Resolves when it is on the disk what crashes may have taken of the streams, or cannot be written. Before that nothing is to be
   * captured: after another crash the first messages of this process would tell that nothing is missing before them.
   */
  async begun(): Promise<void> {
    await Promise.all([...this.#held.keys()].map((name) => this.#parts.gapLogs.saved(name)));
  }

  /** All that the process before has left in its journals is in files, or so many milliseconds have passed. */
  async restored(ms: number): Promise<void> {
    await within(ms, Promise.all([...this.#held.values()].map(({ recovery }) => recovery.done)));
  }

  /** Captures no more and writes what there is; the files stay. If that fails, the stream goes on: FLUSH_FAILED. */
  async remove(name: string): Promise<void> {
    await this.#get(name).remove();
    this.#held.delete(name);
  }

  /** The last file that was needed to empty the ring; null if none was. Rejects with FLUSH_FAILED. */
  async flush(name: string): Promise<FileEntry | null> {
    const file = (await this.exchange.get(name).sink.flush('request')) as CommittedFile | undefined | null;
    return file == null ? null : (this.#options.catalog.find(name, file.name) ?? { ...file, stream: name });
  }

  async hash(file: FileEntry): Promise<string> {
    const { catalog, sentOpen } = this.#options;
    const { decrypt } = offered(file, sentOpen);
    const { sha256 } = await this.#parts.recorder.hash(file.path, decrypt ? file.bytes : undefined);
    catalog.setSha256(file, sha256);
    return sha256;
  }

  /** All of the clock's corrections, for the metadata of files to come. */
  correct(corrections: readonly Correction[]): void {
    this.#parts.recorder.correct(corrections);
  }

  /** The streams whose last attempt to write a file or the journal failed, and why. */
  failures(): ReadonlyMap<string, string> {
    const failures = new Map<string, string>();
    for (const [name, { disk }] of this.#held) if (disk.failure !== null) failures.set(name, disk.failure);
    return failures;
  }

  /** How a stream is. Throws STREAM_NOT_FOUND. */
  status(name: string): StreamStatus {
    return this.#get(name).status;
  }

  /** After `close`: all that is missing is on the disk. */
  get gapsSaved(): boolean {
    return this.#gapsSaved;
  }

  /** Writes everything, at most for so long; answers with what is in no file. */
  async close(timeoutMs: number): Promise<readonly StreamCount[]> {
    const { catalog, gapLogs, merges, recorder } = this.#parts;
    clearInterval(this.#looking);
    const merged = merges.close();
    const until = performance.now() + timeoutMs;
    const left = () => Math.max(0, until - performance.now());
    await this.#admitWaiting(left);
    const rest = new Map<string, number>();
    for (const [name, stream] of this.#held) rest.set(name, await stream.close(left()));
    const { unwritten } = await recorder.close(left());
    for (const { stream, messages } of unwritten) rest.set(stream, (rest.get(stream) ?? 0) + messages);
    await merged;
    await catalog.close();
    this.#gapsSaved = (await within(left(), gapLogs.close())) ?? false;
    return [...rest]
      .filter(([, messages]) => messages > 0)
      .map(([stream, messages]) => ({ stream, messages }));
  }

  /** Publishers that wait for room get it, as long as there is time. */
  async #admitWaiting(left: () => number): Promise<void> {
    while (this.exchange.waitingMessages > 0 && left() > 0) {
      const flushes = [...this.exchange.all()].map((stream) => stream.sink.flush('request'));
      await within(left(), Promise.allSettled(flushes));
      // One that fails does so at once.
      await delay(Math.min(left(), CLOSE_RETRY_MS));
    }
  }

  /** Throws STREAM_NOT_FOUND, also while it is being removed. */
  #get(name: string): HeldStream {
    this.exchange.get(name);
    return this.#held.get(name)!;
  }
}

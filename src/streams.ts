import type { Catalog } from './catalog/catalog.js';
import type { FileEntry } from './catalog/entry.js';
import type { Clock } from './clock/clock.js';
import type { StreamConfig } from './config/schema.js';
import { Exchange } from './exchange/exchange.js';
import { Handover, type TakeBatch } from './exchange/handover.js';
import { Stream } from './exchange/stream.js';
import type { Logger } from './log.js';
import type { CommittedFile } from './recorder/file.js';
import type { FlushInfo, RecorderModules, StreamCount } from './recorder/protocol.js';
import { Recorder } from './recorder/recorder.js';
import { NEARLY_FULL } from './ring/layout.js';
import { VERSION } from './version.js';

export interface StreamsOptions {
  readonly dataDir: string;
  readonly bootId: string;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Logger;
  /** The process before ended without writing what its rings held. */
  readonly afterCrash: boolean;
  readonly onBatch?: TakeBatch;
  readonly recorderModules?: RecorderModules;
}

/** How often retention by age is looked at. */
const RETAIN_EVERY_MS = 60_000;

/** The streams of a running broker: exchange, recorder and catalogue tied together. */
export class Streams {
  readonly exchange: Exchange;
  readonly #options: StreamsOptions;
  readonly #configs = new Map<string, StreamConfig>();
  readonly #handovers = new Map<string, Handover>();
  readonly #failing = new Set<string>();
  readonly #retention: NodeJS.Timeout;
  #recorder!: Recorder;

  private constructor(options: StreamsOptions) {
    this.#options = options;
    this.exchange = new Exchange((stream, error) =>
      options.log.debug({ stream, err: error }, 'publishers go on waiting for room'),
    );
    this.#retention = setInterval(() => {
      for (const name of this.#configs.keys()) this.#retain(name);
    }, RETAIN_EVERY_MS);
    this.#retention.unref();
  }

  static async start(options: StreamsOptions): Promise<Streams> {
    const streams = new Streams(options);
    const { bootId, clock, dataDir, log, recorderModules: modules } = options;
    streams.#recorder = await Recorder.start({
      dataDir,
      bootId,
      clockBase: clock.base,
      corrections: clock.corrections,
      version: VERSION,
      log,
      ...(modules === undefined ? {} : { modules }),
      onCommit: (name, file, upTo, info) => streams.#committed(name, file, upTo, info),
      onFailure: (name) => streams.#failed(name),
      onRecovered: (name) => streams.#failing.delete(name),
      onReplaced: (lost) => streams.#replaced(lost),
    });
    clock.onCorrection = (correction) => {
      log.warn({ ...correction }, 'the wall clock stepped; keys go on, and a correction is recorded');
      streams.#recorder.correct(clock.corrections);
    };
    return streams;
  }

  /** From now on the stream captures. Throws STREAM_EXISTS. */
  add(config: StreamConfig): Stream {
    const { afterCrash, catalog, clock, log, onBatch } = this.#options;
    const stream = new Stream(config);
    if (config.ring.whenFull === 'return' && onBatch !== undefined) {
      const handover = new Handover(
        stream,
        onBatch,
        config.flush,
        () => this.exchange.admitWaiting(),
        (error) =>
          log.error({ stream: config.name, err: error }, 'a batch was not taken and is offered again'),
      );
      stream.sink = handover;
      this.exchange.add(stream);
      this.#handovers.set(config.name, handover);
    } else {
      const { doorbell } = this.#recorder;
      stream.sink = {
        captured: () => doorbell.ring(),
        flush: async (reason) => {
          // The recorder sees this by itself; another request would only cut off a small file behind it.
          if (reason === 'full' && stream.ring.share >= NEARLY_FULL) doorbell.wake();
          else return this.#recorder.flush(config.name, reason);
          return null;
        },
      };
      this.exchange.add(stream);
      this.#recorder.add(config, stream.ring, catalog.nextSeq(config.name));
    }
    if (afterCrash) {
      const start = (catalog.files(config.name).at(-1)?.lastKey ?? -1) + 1;
      stream.addGap({ start, end: clock.last, messages: null, reason: 'crash' });
    }
    this.#configs.set(config.name, config);
    this.#retain(config.name);
    return stream;
  }

  /** Captures no more and writes what there is. The files stay. */
  async remove(name: string): Promise<void> {
    const stream = this.exchange.remove(name);
    this.#configs.delete(name);
    const handover = this.#handovers.get(name);
    if (handover === undefined) {
      await this.#recorder.remove(name);
    } else {
      await stream.sink.flush('request');
      handover.close();
      this.#handovers.delete(name);
    }
  }

  /** The last file that was needed to empty the ring; null if none was. Rejects with FLUSH_FAILED. */
  async flush(name: string): Promise<FileEntry | null> {
    const file = (await this.exchange.get(name).sink.flush('request')) as CommittedFile | undefined | null;
    return file == null ? null : (this.#options.catalog.find(name, file.name) ?? { ...file, stream: name });
  }

  async hash(file: FileEntry): Promise<string> {
    const { sha256 } = await this.#recorder.hash(file.path);
    this.#options.catalog.setSha256(file, sha256);
    return sha256;
  }

  /** The last attempt to write a file of this stream failed. */
  isFailing(name: string): boolean {
    return this.#failing.has(name);
  }

  /** Writes everything, at most for so long; answers with what is in no file. */
  async close(timeoutMs: number): Promise<readonly StreamCount[]> {
    clearInterval(this.#retention);
    const until = performance.now() + timeoutMs;
    const rest: StreamCount[] = [];
    for (const [name, handover] of this.#handovers) {
      await Promise.race([handover.flush(), expiry(until)]).catch(() => {});
      const { ring } = this.exchange.get(name);
      if (ring.written > ring.committed) rest.push({ stream: name, messages: ring.written - ring.committed });
      handover.close();
    }
    // Publishers that wait for room get it, as long as there is time.
    while (this.exchange.waitingMessages > 0 && performance.now() < until) {
      const flushes = [...this.exchange.all()].map((stream) => stream.sink.flush('full'));
      await Promise.race([Promise.allSettled(flushes), expiry(until)]);
    }
    const { unwritten } = await this.#recorder.close(Math.max(0, until - performance.now()));
    await this.#options.catalog.idle();
    return [...rest, ...unwritten];
  }

  /** In one turn the file becomes visible and the ring gives its messages up: they are never in both, nor in none. */
  #committed(name: string, file: CommittedFile, upTo: number, info: FlushInfo): void {
    const stream = this.exchange.find(name);
    this.#options.catalog.add({ ...file, stream: name });
    this.#options.log.debug(
      { stream: name, file: file.name, rows: file.rows, ...info },
      'a file was written',
    );
    if (stream === undefined) return;
    stream.committed(upTo, file.lastKey);
    stream.stats.flushes++;
    stream.stats.flushSeconds += info.seconds;
    stream.stats.rowsWritten += file.rows;
    stream.stats.bytesWritten += file.bytes;
    this.exchange.admitWaiting();
    this.#retain(name);
  }

  #failed(name: string): void {
    this.#failing.add(name);
    const stream = this.exchange.find(name);
    if (stream !== undefined) stream.stats.flushFailures++;
  }

  #replaced(lost: readonly StreamCount[]): void {
    for (const { stream } of lost) this.exchange.find(stream)?.recorderLost();
  }

  #retain(name: string): void {
    const config = this.#configs.get(name);
    if (config === undefined) return;
    const { catalog, clock, log } = this.#options;
    catalog
      .retain(name, config.retention, clock.now())
      .catch((error: unknown) => log.error({ stream: name, err: error }, 'old files could not be deleted'));
  }
}

function expiry(until: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, until - performance.now())).unref());
}

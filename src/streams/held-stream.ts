import type { Catalog } from '../catalog/catalog.js';
import type { FileEntry } from '../catalog/entry.js';
import type { Clock } from '../clock/clock.js';
import type { StreamConfig } from '../config/schema.js';
import type { Exchange } from '../exchange/exchange.js';
import { Handover, type TakeBatch } from '../exchange/handover.js';
import { Safety } from '../exchange/safety.js';
import { Stream } from '../exchange/stream.js';
import type { Logger } from '../log.js';
import type { CommittedFile } from '../recorder/files/writer.js';
import { within } from '../recorder/keeper.js';
import type { FlushInfo, Restored, Task } from '../recorder/protocol.js';
import type { Recorder } from '../recorder/recorder.js';
import { DiskPolicy, type StreamState } from './disk-policy.js';
import type { GapLogs } from './gap-logs.js';
import type { Merges } from './merges.js';
import { Recording } from './recording.js';
import { Recovery } from './recovery.js';
import type { Retention } from './retention.js';
import { type StreamStatus, statusOf } from './status.js';

/** What all streams have in common. */
export interface HeldStreamParts {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly exchange: Exchange;
  readonly recorder: Recorder;
  readonly gapLogs: GapLogs;
  readonly retention: Retention;
  readonly merges: Merges;
  /** Takes the batches of `whenFull: return`. */
  readonly onBatch: TakeBatch | undefined;
  /** The process before ended without writing what its rings held. */
  readonly afterCrash: boolean;
  readonly onRetired: (stream: string, files: readonly FileEntry[]) => void;
  readonly onState: (stream: string, state: StreamState) => void;
  readonly log: Logger;
}

/** One stream of a running broker, and what the recorder's reports do to it: held until all of it is written. */
export class HeldStream {
  readonly stream: Stream;
  readonly disk: DiskPolicy;
  readonly recovery: Recovery;
  readonly #config: StreamConfig;
  readonly #parts: HeldStreamParts;
  /** null: recorded to files. */
  readonly #handover: Handover | null;

  /** From now on it captures. */
  constructor(config: StreamConfig, parts: HeldStreamParts) {
    const { catalog, exchange, gapLogs, onBatch, recorder } = parts;
    const { durability, name, ring } = config;
    this.#config = config;
    this.#parts = parts;
    const stream = new Stream(config, gapLogs.of(name));
    this.stream = stream;
    if (ring.whenFull === 'return' && onBatch !== undefined) {
      this.#handover = this.#handoverTo(onBatch);
      stream.sink = this.#handover;
    } else {
      this.#handover = null;
      recorder.add(config, stream.ring, catalog.nextSeq(name));
      stream.sink = new Recording(stream, recorder);
      if (durability !== 'none') stream.safety = new Safety();
    }
    exchange.add(stream);
    this.disk = this.#diskPolicy();
    this.recovery = new Recovery(stream, gapLogs, this.#handover === null);
    this.lookAtFiles();
  }

  /** The ring gives its messages up; the file is visible since this turn. */
  committed({ bytes, lastKey, rows }: CommittedFile, upTo: number, info: FlushInfo): void {
    const { stream } = this;
    const { followers, stats } = stream;
    stream.committed(upTo, lastKey);
    for (const follower of followers) follower.written();
    stats.flushes++;
    stats.flushSeconds += info.seconds;
    stats.rowsWritten += rows;
    stats.bytesWritten += bytes;
    stats.journalBytes += info.journalBytes;
    stats.journalSyncs += info.journalSyncs;
    this.#parts.exchange.admitWaiting();
    this.lookAtFiles();
  }

  /** Some of what a thread before had in its journal is in files now. */
  restored(found: Restored): void {
    const { afterCrash, log, merges } = this.#parts;
    const { name, followers } = this.stream;
    const recovered = this.recovery.found(found);
    if (found.unreadable) void this.#noteMissing();
    if (recovered && afterCrash)
      log.warn({ stream: name, ...this.recovery.report }, 'the process before did not end in order');
    if (found.left > 0) return;
    for (const follower of followers) follower.written();
    merges.add(this.#config);
    this.lookAtFiles();
  }

  failed(what: Task, text: string, full: boolean): void {
    if (what === 'file') this.stream.stats.flushFailures++;
    this.disk.failed(what, text, full);
  }

  /** More was written than may be, or not any more. */
  overBudget(exhausted: boolean): void {
    this.stream.stats.overBudget = exhausted;
  }

  /** Another thread records. `lost`: what the ended one had taken over. */
  recorderReplaced(lost: boolean): void {
    const { disk, stream } = this;
    // Until what the ended thread has left in a journal is in files, between others.
    this.#parts.merges.remove(stream.name);
    if (this.#config.durability !== 'none') stream.recorderReplaced();
    disk.restart();
    stream.stats.overBudget = false;
    if (!lost) return;
    stream.recorderLost();
    for (const follower of stream.followers) follower.written();
  }

  /** Files may be over the limits, or small ones of a day. */
  lookAtFiles(): void {
    const { merges, retention } = this.#parts;
    retention.look(this.#config);
    merges.look(this.stream.name);
  }

  get status(): StreamStatus {
    return statusOf(this.stream, this.#config, this.disk, this.#parts.catalog, this.recovery.report);
  }

  /** Captures no more and writes what there is. If that fails, it goes on: FLUSH_FAILED. */
  async remove(): Promise<void> {
    const { exchange, merges, recorder } = this.#parts;
    const { name } = this.stream;
    exchange.remove(name);
    try {
      await (this.#handover === null ? recorder.remove(name) : this.#handover.flush());
    } catch (error) {
      exchange.add(this.stream);
      throw error;
    }
    this.#handover?.close();
    merges.remove(name);
  }

  /** Hands over what it can in so many ms; answers how many messages are left, without those that the recorder has. */
  async close(ms: number): Promise<number> {
    const { stream } = this;
    if (this.#handover === null) return stream.waiting;
    // What has failed was reported, and is counted here.
    await within(ms, Promise.allSettled([this.#handover.flush()]));
    this.#handover.close();
    return stream.waiting + stream.ring.written - stream.ring.committed;
  }

  /** The journal's segments that told it stay until the gap is on the disk; if it cannot be, the next start finds them again. */
  async #noteMissing(): Promise<void> {
    const { gapLogs, recorder } = this.#parts;
    const { name } = this.stream;
    if (await gapLogs.saved(name)) recorder.noted(name);
  }

  #handoverTo(take: TakeBatch): Handover {
    const { exchange, log } = this.#parts;
    const { flush, name } = this.#config;
    return new Handover(
      this.stream,
      take,
      flush,
      () => exchange.admitWaiting(),
      (error) => log.error({ stream: name, err: error }, 'a batch was not taken and is offered again'),
    );
  }

  #diskPolicy(): DiskPolicy {
    const { catalog, clock, exchange, gapLogs, log, onRetired, onState, recorder } = this.#parts;
    const { name, onDiskFull: policy } = this.#config;
    return new DiskPolicy({
      stream: this.stream,
      policy,
      oldest: () => catalog.oldest(name),
      delete: async (file) => {
        const deleted = await catalog.delete(file, clock.now());
        if (deleted) onRetired(name, [file]);
        return deleted;
      },
      gapsSaved: () => gapLogs.saved(name),
      retry: () => recorder.retry(name),
      released: () => exchange.admitWaiting(),
      onState: (state) => onState(name, state),
      log,
    });
  }
}

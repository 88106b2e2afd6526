import type { FileEntry } from '../catalog/entry.js';
import { textOf } from '../errors.js';
import type { Gap } from '../exchange/gaps.js';
import type { Stream } from '../exchange/stream.js';
import type { Logger } from '../log.js';
import type { Task } from '../recorder/protocol.js';

/**
 * What becomes of a stream when the disk has no room, or fails: its oldest files go; or nothing more is captured, and
 * messages are only routed; or all that does not fit waits, its publishers included.
 */
export type OnDiskFull = 'drop-oldest-files' | 'stop-capture' | 'block';

export type StreamState = 'ok' | 'failing' | 'stopped';

export interface DiskPolicyParts {
  readonly stream: Stream;
  readonly policy: OnDiskFull;
  /** The stream's oldest file; null: there is none. */
  readonly oldest: () => Promise<FileEntry | null>;
  /** False: it is not there any more. */
  readonly delete: (file: FileEntry) => Promise<boolean>;
  /** Resolves when the stream's gaps are on the disk. False: they cannot be written. */
  readonly gapsSaved: () => Promise<boolean>;
  /** What failed is tried again. */
  readonly retry: () => void;
  /** Publishers that wait for room may not have to any more. */
  readonly released: () => void;
  readonly onState: (state: StreamState) => void;
  readonly log: Logger;
}

/** Keeps the broker routing while a stream's disk fails, and has the stream go on by itself afterwards. */
export class DiskPolicy {
  readonly #parts: DiskPolicyParts;
  /** Why the last attempt failed. */
  readonly #failing = new Map<Task, string>();
  #making = false;
  /** Messages that had been refused when the stream stopped. */
  #refused = 0;

  constructor(parts: DiskPolicyParts) {
    this.#parts = parts;
  }

  get state(): StreamState {
    if (this.#parts.stream.stopped) return 'stopped';
    return this.#failing.size > 0 ? 'failing' : 'ok';
  }

  /** Why what was written last failed; null: it did not. */
  get failure(): string | null {
    const [text = null] = this.#failing.values();
    return text;
  }

  /** `full`: there is no room, and `noRoom` follows each time it is tried. */
  failed(what: Task, text: string, full: boolean): void {
    const { policy, stream, released, onState } = this.#parts;
    this.#failing.set(what, text);
    if (policy !== 'block' && !full) {
      // What waits for the journal is not acknowledged; what waits for a file is in the ring as long as that has room.
      if (what === 'journal') this.#stop();
      else stream.letPass();
      released();
    }
    onState(this.state);
  }

  /** Another recorder begins, which knows of no failure and tells of its own only. */
  restart(): void {
    for (const what of [...this.#failing.keys()]) this.recovered(what);
  }

  noRoom(): void {
    const { policy } = this.#parts;
    if (policy === 'stop-capture') this.#stop();
    else if (policy === 'drop-oldest-files' && !this.#making) void this.#makeRoom();
  }

  recovered(what: Task): void {
    const { stream, released, onState, log } = this.#parts;
    this.#failing.delete(what);
    if (this.#failing.size > 0) return;
    if (stream.stopped) {
      const missed = stream.stats.refused - this.#refused;
      log.warn({ stream: stream.name, missed }, 'the disk takes messages again: the stream captures again');
    }
    stream.resume();
    released();
    onState(this.state);
  }

  #stop(): void {
    const { stream, released, onState, log } = this.#parts;
    if (stream.stopped) return;
    this.#refused = stream.stats.refused;
    stream.stop();
    released();
    log.error(
      { stream: stream.name },
      `the stream captures nothing, messages are only routed: ${this.failure}`,
    );
    onState(this.state);
  }

  /** One file at a time: it is tried again at once, and calls for the next if that was not enough. */
  async #makeRoom(): Promise<void> {
    const { stream, retry, log } = this.#parts;
    this.#making = true;
    try {
      const file = await this.#deleteOldest();
      if (file === null) {
        this.#stop();
        return;
      }
      const { name, bytes, rows } = file;
      log.warn(
        { stream: stream.name, file: name, bytes, rows },
        'the disk is full: the oldest file was deleted',
      );
      stream.stats.deletedFiles++;
      stream.stats.deletedRows += rows;
      retry();
    } catch (error) {
      log.error({ stream: stream.name, error: textOf(error) }, 'no room could be made');
      this.#stop();
    } finally {
      this.#making = false;
    }
  }

  /** The gap is on the disk first: a crash in between tells of a gap that is none, until the files are listed again. */
  async #deleteOldest(): Promise<FileEntry | null> {
    const { stream, oldest, gapsSaved } = this.#parts;
    const { gaps } = stream;
    for (let file = await oldest(); file !== null; file = await oldest()) {
      const gap: Gap = { start: file.firstKey, end: file.lastKey, messages: file.rows, reason: 'deleted' };
      gaps.insert(gap);
      const saved = await gapsSaved();
      if (await this.#parts.delete(file)) {
        // There was no room for the gap either: it comes before everything that waits for room.
        if (!saved) await gapsSaved();
        return file;
      }
      // It was merged with others meanwhile.
      gaps.replace(gap, []);
    }
    return null;
  }
}

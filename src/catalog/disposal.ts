/** Files that left the lists and wait for their bytes to go: until nobody reads them and unlink works. */
import { join, posix } from 'node:path';
import { textOf } from '../errors.js';
import type { FileEntry } from './entry.js';
import { dateFolder } from './naming.js';
import { type Place, systemCode } from './place.js';

export class Disposal {
  readonly #place: Place;
  /** Readers a path. */
  readonly #pins = new Map<string, number>();
  /** By path; out of the lists, still on disk. */
  readonly #doomed = new Map<string, FileEntry>();
  /** The end of each stream's queue: its deletions never run side by side. */
  readonly #turns = new Map<string, Promise<void>>();
  /** Folders with names that may not be durable yet, on which it depends that something else in them can go. */
  readonly #unsynced = new Set<string>();
  #today = '';

  constructor(place: Place) {
    this.#place = place;
  }

  /** Keeps the bytes of `entry` until the returned function is called; calling it again does nothing. */
  pin(entry: FileEntry): () => void {
    const { path, stream } = entry;
    this.#pins.set(path, (this.#pins.get(path) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = this.#pins.get(path)! - 1;
      if (left > 0) {
        this.#pins.set(path, left);
        return;
      }
      this.#pins.delete(path);
      if (this.#doomed.has(path)) void this.#sweep(stream);
    };
  }

  /**
   * Deletes `entries` and what earlier calls could not delete; pinned ones when unpinned. Failures are logged. `now` is
   * a key, left out where no folder can become empty.
   */
  dispose(stream: string, entries: readonly FileEntry[], now?: number): Promise<void> {
    if (now !== undefined) this.#today = dateFolder(now);
    for (const entry of entries) this.#doomed.set(entry.path, entry);
    return this.#sweep(stream);
  }

  /**
   * As `dispose`, of files that another one beside them has the messages of, as it was found at the start: the process that made
   * it may have died before its name was durable, and then a power cut could take it along with them.
   */
  supersede(stream: string, entries: readonly FileEntry[]): Promise<void> {
    for (const { path } of entries) this.#unsynced.add(posix.dirname(path));
    return this.dispose(stream, entries);
  }

  /** The stream's files that are off the lists and still on the disk. */
  waiting(stream: string): readonly FileEntry[] {
    return [...this.#doomed.values()].filter((entry) => entry.stream === stream);
  }

  /** Resolves when no deletion is running. */
  async idle(): Promise<void> {
    await Promise.all(this.#turns.values());
  }

  #sweep(stream: string): Promise<void> {
    const turn = (this.#turns.get(stream) ?? Promise.resolve()).then(() => this.#unlinkUnpinned(stream));
    this.#turns.set(stream, turn);
    return turn;
  }

  async #unlinkUnpinned(stream: string): Promise<void> {
    const { dataDir, fs, log } = this.#place;
    const emptied = new Set<string>();
    for (const { path, stream: owner } of [...this.#doomed.values()]) {
      if (owner !== stream || this.#pins.has(path)) continue;
      try {
        await this.#syncFolder(posix.dirname(path));
        await fs.unlink(join(dataDir, path));
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') {
          log.error({ stream, file: path, error: textOf(error) }, 'a file could not be deleted yet');
          continue;
        }
      }
      this.#doomed.delete(path);
      emptied.add(posix.dirname(path));
    }
    for (const folder of emptied) await this.#removeFolder(folder);
  }

  async #syncFolder(folder: string): Promise<void> {
    if (!this.#unsynced.has(folder)) return;
    const opened = await this.#place.fs.open(join(this.#place.dataDir, folder), 'r');
    await opened.sync().finally(() => opened.close());
    this.#unsynced.delete(folder);
  }

  /** The recorder may be about to write into today's folder: that one stays. */
  async #removeFolder(folder: string): Promise<void> {
    if (posix.basename(folder) === this.#today) return;
    const { dataDir, fs, log } = this.#place;
    try {
      await fs.rmdir(join(dataDir, folder));
    } catch (error) {
      if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) return;
      log.warn({ folder, error: textOf(error) }, 'an empty folder could not be removed');
    }
  }
}

import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { textOf } from '../errors.js';
import type { Disk } from './disk.js';
import type { Report } from './protocol.js';

/** Read between two looks at the rings: ~1 ms. */
const PIECE_BYTES = 1024 * 1024;

interface Work {
  readonly id: number;
  readonly file: number;
  readonly hash: Hash;
  bytes: number;
}

/** Checksums of files that were there before, one file after another, in small pieces. */
export class DigestQueue {
  readonly #disk: Disk;
  readonly #dataDir: string;
  readonly #post: (report: Report) => void;
  readonly #waiting: { readonly id: number; readonly path: string }[] = [];
  readonly #piece = new Uint8Array(PIECE_BYTES);
  #work: Work | null = null;

  constructor(disk: Disk, dataDir: string, post: (report: Report) => void) {
    this.#disk = disk;
    this.#dataDir = dataDir;
    this.#post = post;
  }

  /** `path` is relative to the data folder. The report `id` will tell the result. */
  add(id: number, path: string): void {
    this.#waiting.push({ id, path });
  }

  /** Reads one piece; false if there is nothing to do. */
  step(): boolean {
    const id = this.#work?.id ?? this.#waiting[0]?.id;
    if (id === undefined) return false;
    try {
      this.#work ??= this.#begin();
      this.#read(this.#work);
    } catch (error) {
      this.close();
      this.#post({ kind: 'undone', id, error: textOf(error) });
    }
    return true;
  }

  /** Gives up the file being read. */
  close(): void {
    if (this.#work === null) return;
    const { file } = this.#work;
    this.#work = null;
    this.#disk.close(file);
  }

  #begin(): Work {
    const { id, path } = this.#waiting.shift()!;
    const file = this.#disk.open(join(this.#dataDir, path), 'r');
    return { id, file, hash: createHash('sha256'), bytes: 0 };
  }

  #read(work: Work): void {
    const read = this.#disk.read(work.file, this.#piece, work.bytes);
    work.hash.update(this.#piece.subarray(0, read));
    work.bytes += read;
    if (read > 0) return;
    this.close();
    this.#post({ kind: 'done', id: work.id, answer: { sha256: work.hash.digest('hex'), bytes: work.bytes } });
  }
}

import { createHash, type Hash } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { FileEntry } from '../../catalog/entry.js';
import { dateFolder, fileName, STREAMS_FOLDER, streamFolder, TEMP_SUFFIX } from '../../catalog/naming.js';
import type { Keyring } from '../../seal/keyring.js';
import { sealed } from '../../seal/sealing.js';
import { type Disk, syncPath } from '../disk.js';

/** A file that is whole, on the disk and visible. */
export interface CommittedFile extends Omit<FileEntry, 'stream' | 'sha256'> {
  /** Lower-case hex; of what is sent of it. */
  readonly sha256: string;
}

/** What is in a file; it is called after that. */
export interface FileRows {
  readonly firstKey: number;
  readonly lastKey: number;
  readonly seq: number;
  readonly rows: number;
  readonly rawBytes: number;
}

/** How files are encrypted. */
export interface Sealing {
  readonly keyring: Keyring;
  /** Whether they are sent decrypted: what checksums are of. */
  readonly sentOpen: boolean;
}

/** Writes the files of one stream so that a visible one is whole, even after a power cut. */
export class FileWriter {
  readonly #disk: Disk;
  readonly #dataDir: string;
  readonly #stream: string;
  /** The folder that is known to survive a power cut. */
  #durable = '';
  /** What a failed attempt left behind and could not remove. */
  #debris: string | null = null;

  constructor(disk: Disk, dataDir: string, stream: string) {
    this.#disk = disk;
    this.#dataDir = dataDir;
    this.#stream = stream;
  }

  /**
   * Throws whatever the disk throws; then no file of these rows is visible, or the next call removes it first. `sealing`:
   * `null` for a file that anybody may read.
   */
  write(label: FileRows, bytes: Uint8Array, sealing: Sealing | null = null): CommittedFile {
    const { firstKey, lastKey, seq } = label;
    const folder = `${streamFolder(this.#stream)}/${dateFolder(firstKey)}`;
    const name = fileName(firstKey, lastKey, seq, sealing !== null);
    const path = `${folder}/${name}`;
    const temporary = path + TEMP_SUFFIX;

    this.#clear();
    this.#makeFolder(folder);
    let written = temporary;
    const hash = createHash('sha256');
    let size: number;
    try {
      size = this.#fill(join(this.#dataDir, temporary), pieces(bytes, sealing, hash));
      this.#disk.rename(join(this.#dataDir, temporary), join(this.#dataDir, path));
      written = path;
      this.#syncFolder(folder);
    } catch (error) {
      this.#discard(written);
      throw error;
    }
    return { name, path, ...label, bytes: size, sha256: hash.digest('hex') };
  }

  /** The number of bytes. */
  #fill(path: string, pieces: Iterable<Uint8Array>): number {
    const file = this.#disk.open(path, 'w');
    let size = 0;
    try {
      for (const piece of pieces) {
        for (let done = 0; done < piece.length; ) done += this.#disk.write(file, piece.subarray(done));
        size += piece.length;
      }
      this.#disk.sync(file);
      return size;
    } finally {
      this.#disk.close(file);
    }
  }

  /** A new folder's entry stands in its parent: that is synced as well, up to the data folder. */
  #makeFolder(folder: string): void {
    if (!this.#disk.makeFolder(join(this.#dataDir, folder)) && this.#durable === folder) return;
    this.#durable = '';
    for (const parent of [streamFolder(this.#stream), STREAMS_FOLDER, '.']) this.#syncFolder(parent);
    this.#durable = folder;
  }

  #syncFolder(folder: string): void {
    syncPath(this.#disk, join(this.#dataDir, folder));
  }

  #discard(path: string): void {
    this.#debris = path;
    try {
      this.#clear();
    } catch {
      // The caller throws the first error; the debris is remembered, and removing it is tried again.
    }
  }

  #clear(): void {
    if (this.#debris === null) return;
    const folder = dirname(this.#debris);
    this.#disk.remove(join(this.#dataDir, this.#debris));
    // It may have been visible: after a power cut it must not be so again, beside the file that has its rows by then.
    this.#makeFolder(folder);
    this.#syncFolder(folder);
    this.#debris = null;
  }
}

/** What is written for `bytes`; `hash` gets what is sent. */
function* pieces(bytes: Uint8Array, sealing: Sealing | null, hash: Hash): Generator<Uint8Array, void> {
  const sentOpen = sealing?.sentOpen ?? false;
  if (sentOpen) hash.update(bytes);
  for (const piece of sealing === null ? [bytes] : sealed(bytes, sealing.keyring)) {
    if (!sentOpen) hash.update(piece);
    yield piece;
  }
}

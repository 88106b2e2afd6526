import type { AsyncBuffer } from 'hyparquet';
import type { CatalogFs, CatalogHandle } from '../catalog/place.js';
import { type ByteSource, StoredBytes } from '../seal/byte-source.js';
import type { Keyring } from '../seal/keyring.js';
import { isSealedName } from '../seal/offered.js';
import { OpenedBytes } from '../seal/opened-bytes.js';

/** Byte ranges of one file, which stays open: it may be renamed or unlinked meanwhile. */
export class FileBytes implements AsyncBuffer {
  readonly byteLength: number;
  readonly #handle: CatalogHandle;
  readonly #source: ByteSource;

  private constructor(handle: CatalogHandle, source: ByteSource) {
    this.#handle = handle;
    this.#source = source;
    this.byteLength = source.byteLength;
  }

  /** Throws what the system says, and what is wrong with an encrypted file or the keys for it. */
  static async open(path: string, keyring: Keyring, fs: Pick<CatalogFs, 'open'>): Promise<FileBytes> {
    const handle = await fs.open(path, 'r');
    try {
      const stored = new StoredBytes(handle, (await handle.stat()).size);
      const sealed = isSealedName(path);
      return new FileBytes(handle, sealed ? await OpenedBytes.open(stored, keyring, path) : stored);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async slice(start: number, end = this.byteLength): Promise<ArrayBuffer> {
    if (!(start >= 0 && start <= end && end <= this.byteLength)) {
      throw new Error(`it refers to its bytes ${start} to ${end} of ${this.byteLength}`);
    }
    const bytes = new Uint8Array(end - start);
    await this.#source.read(bytes, start);
    return bytes.buffer;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

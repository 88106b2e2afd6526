import type { Catalog } from '../catalog/catalog.js';
import type { FileEntry } from '../catalog/entry.js';
import { type Offered, offered } from '../seal/offered.js';

/** What goes to the transfer client on `$STREAM/transfer`. */
export interface TransferOrder {
  readonly id: string;
  readonly stream: string;
  readonly root: string;
  readonly chunkBytes: number;
  readonly files: readonly (Omit<FileEntry, 'stream' | 'seq' | 'rawBytes'> & { readonly decrypt?: true })[];
}

interface Outstanding {
  readonly id: string;
  readonly file: FileEntry;
  readonly unpin: () => void;
}

/**
 * Files on their way: pinned until the transfer client has sent the end of each, asked for again when it comes back
 * after it was gone.
 */
export class Transfers {
  readonly #catalog: Catalog;
  readonly #root: string;
  readonly #chunkBytes: number;
  readonly #decrypt: boolean;
  /** False: no transfer client is there yet. */
  readonly #send: (order: TransferOrder) => boolean;
  readonly #outstanding = new Map<string, Outstanding>();
  /** Orders that no client has taken. */
  #unsent: TransferOrder[] = [];

  /** `decrypt`: whether encrypted files are sent decrypted. */
  constructor(
    catalog: Catalog,
    root: string,
    chunkBytes: number,
    send: (order: TransferOrder) => boolean,
    decrypt = false,
  ) {
    this.#catalog = catalog;
    this.#root = root;
    this.#chunkBytes = chunkBytes;
    this.#decrypt = decrypt;
    this.#send = send;
  }

  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** Pins files until `order` or `unpin`; call it in the turn in which the catalogue named them. */
  pin(files: readonly FileEntry[]): () => void {
    const unpins = files.map((file) => this.#catalog.pin(file));
    return () => {
      for (const unpin of unpins) unpin();
    };
  }

  /** What is sent of a file. */
  offered(file: FileEntry): Offered {
    return offered(file, this.#decrypt);
  }

  /** Has files sent to `ParquetFile/<id>/<name>/...`. */
  order(id: string, stream: string, files: readonly FileEntry[]): void {
    if (files.length === 0) return;
    for (const file of files) {
      const key = `${id}/${this.offered(file).name}`;
      this.#outstanding.get(key)?.unpin();
      this.#outstanding.set(key, { id, file, unpin: this.#catalog.pin(file) });
    }
    this.#dispatch(this.#orderOf(id, stream, files));
  }

  /** The transfer client published on `ParquetFile/...`: the end of a file, or that it could not be sent. */
  published(topic: string): void {
    const [, id, name, what] = topic.split('/');
    if (what !== 'fin' && what !== 'abort') return;
    const key = `${id}/${name}`;
    this.#outstanding.get(key)?.unpin();
    this.#outstanding.delete(key);
  }

  /** A transfer client is there. */
  ready(): void {
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const order of unsent) this.#dispatch(order);
  }

  /** The transfer client has gone: what it had not ended is asked for again. */
  gone(): void {
    const byRequest = new Map<string, Outstanding[]>();
    for (const one of this.#outstanding.values()) {
      const key = `${one.id}/${one.file.stream}`;
      byRequest.set(key, [...(byRequest.get(key) ?? []), one]);
    }
    this.#unsent = [];
    for (const group of byRequest.values()) {
      const [{ id, file }] = group;
      this.#dispatch(
        this.#orderOf(
          id,
          file.stream,
          group.map((one) => one.file),
        ),
      );
    }
  }

  #dispatch(order: TransferOrder): void {
    if (!this.#send(order)) this.#unsent.push(order);
  }

  #orderOf(id: string, stream: string, files: readonly FileEntry[]): TransferOrder {
    return {
      id,
      stream,
      root: this.#root,
      chunkBytes: this.#chunkBytes,
      files: files.map((file) => {
        const { path, sha256, rows, firstKey, lastKey } = file;
        const { name, bytes, decrypt } = this.offered(file);
        return { name, path, bytes, sha256, rows, firstKey, lastKey, ...(decrypt ? { decrypt } : {}) };
      }),
    };
  }
}

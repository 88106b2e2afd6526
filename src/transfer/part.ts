import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MqttStreamError, textOf } from '../errors.js';
import type { Fin, Init } from './messages.js';

/** What of a `FileHandle` is used. */
export interface WritableFile {
  write(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface ReceiverFs {
  mkdir(path: string, options: { recursive: true; mode: number }): Promise<unknown>;
  open(path: string, flags: string, mode?: number): Promise<WritableFile>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { force: true }): Promise<void>;
}

export const diskFs: ReceiverFs = { mkdir, open, rename, rm };

/** One file on its way in, at `<folder>/<name>.part` until it is verified. */
export class Part {
  readonly init: Init;
  readonly #fs: ReceiverFs;
  readonly #folder: string;
  readonly #handle: WritableFile;
  readonly #hash = createHash('sha256');
  /** Bytes of the file that are in, all of them from its start on. */
  #written = 0;

  private constructor(fs: ReceiverFs, folder: string, init: Init, handle: WritableFile) {
    this.#fs = fs;
    this.#folder = folder;
    this.init = init;
    this.#handle = handle;
  }

  /** Replaces what an earlier run has left. @throws what the file system throws. */
  static async open(fs: ReceiverFs, folder: string, init: Init): Promise<Part> {
    await fs.mkdir(folder, { recursive: true, mode: 0o750 });
    const path = join(folder, `${init.name}.part`);
    await fs.rm(path, { force: true });
    return new Part(fs, folder, init, await fs.open(path, 'wx', 0o640));
  }

  /** @throws TRANSFER_INCOMPLETE for bytes that are not the next ones, and what the file system throws. */
  async write(offset: number, payload: Buffer): Promise<void> {
    const end = offset + payload.length;
    // QoS 1: the same again.
    if (end <= this.#written) return;
    if (offset > this.#written) throw this.#incomplete(`bytes ${this.#written} to ${offset} are missing`);
    if (offset < this.#written) throw this.#incomplete(`byte ${offset} came twice, in different chunks`);
    if (end > this.init.bytes)
      throw this.#incomplete(`more than the announced ${this.init.bytes} bytes came`);
    for (let done = 0; done < payload.length; ) {
      const length = payload.length - done;
      const { bytesWritten } = await this.#handle.write(payload, done, length, offset + done);
      done += bytesWritten;
    }
    this.#hash.update(payload);
    this.#written = end;
  }

  /**
   * Verifies, and gives the file its name once it is on the disk. Resolves with its path.
   * @throws TRANSFER_CHECKSUM, and what the file system throws.
   */
  async finish(fin: Fin): Promise<string> {
    const { name, bytes, sha256 } = this.init;
    if (this.#written !== bytes || fin.bytes !== bytes) {
      throw new MqttStreamError('TRANSFER_CHECKSUM', [name, 'size']);
    }
    if (this.#hash.digest('hex') !== sha256 || fin.sha256 !== sha256) {
      throw new MqttStreamError('TRANSFER_CHECKSUM', [name, 'sha256']);
    }
    await this.#handle.sync();
    await this.#handle.close();
    const path = join(this.#folder, name);
    await this.#fs.rename(`${path}.part`, path);
    await this.#syncFolders();
    return path;
  }

  /** Removes it. @throws what the file system throws. */
  async discard(): Promise<void> {
    try {
      await this.#handle.close();
    } finally {
      await this.#fs.rm(join(this.#folder, `${this.init.name}.part`), { force: true });
    }
  }

  /** Else a power cut may take the new name away, or the folder with it. */
  async #syncFolders(): Promise<void> {
    for (const path of [this.#folder, dirname(this.#folder)]) {
      const folder = await this.#fs.open(path, 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    }
  }

  #incomplete(reason: string): MqttStreamError {
    return new MqttStreamError('TRANSFER_INCOMPLETE', [this.init.name, reason]);
  }
}

/** Anything thrown while a file was received. */
export function receiveFailure(name: string, thrown: unknown): MqttStreamError {
  return thrown instanceof MqttStreamError
    ? thrown
    : new MqttStreamError('TRANSFER_INCOMPLETE', [name, textOf(thrown)], { cause: thrown });
}

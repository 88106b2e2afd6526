import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { isAbsolute, join, resolve, sep } from 'node:path';
import { MqttStreamError, textOf } from '../errors.js';
import type { TransferFile } from './messages.js';

/** What of a `FileHandle` is used. */
export interface ReadableFile {
  stat(): Promise<{ readonly size: number; isFile(): boolean }>;
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
}

export type OpenFile = (path: string) => Promise<ReadableFile>;

/** The path is resolved before: what became a link since is refused, and a pipe must not stop us. */
export const openForReading: OpenFile = (path) =>
  open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);

/** A file of a request, open. It is the announced size when opened; every read is checked on its own. */
export class Source {
  readonly #file: TransferFile;
  readonly #handle: ReadableFile;

  private constructor(file: TransferFile, handle: ReadableFile) {
    this.#file = file;
    this.#handle = handle;
  }

  /** @throws TRANSFER_OUTSIDE, TRANSFER_READ_FAILED */
  static async open(root: string, file: TransferFile, openFile: OpenFile): Promise<Source> {
    const path = await locate(root, file);
    const source = new Source(
      file,
      await openFile(path).catch((error) => {
        throw readFailed(file.name, error);
      }),
    );
    try {
      await source.#checkSize();
      return source;
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** Fills `chunk` from `position` on. @throws TRANSFER_READ_FAILED, also when the file ends before. */
  async read(chunk: Buffer, position: number): Promise<void> {
    for (let filled = 0; filled < chunk.length; ) {
      const { bytesRead } = await this.#handle
        .read(chunk, filled, chunk.length - filled, position + filled)
        .catch((error) => {
          throw readFailed(this.#file.name, error);
        });
      if (bytesRead === 0) {
        throw readFailed(
          this.#file.name,
          `it ends at ${position + filled} of ${this.#file.bytes} announced bytes`,
        );
      }
      filled += bytesRead;
    }
  }

  /** The SHA-256 of the whole file, in hex, read a chunk at a time. */
  async sha256(chunkBytes: number): Promise<string> {
    const { bytes } = this.#file;
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, bytes));
    const hash = createHash('sha256');
    for (let offset = 0; offset < bytes; offset += chunkBytes) {
      const chunk = buffer.subarray(0, Math.min(chunkBytes, bytes - offset));
      await this.read(chunk, offset);
      hash.update(chunk);
    }
    return hash.digest('hex');
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #checkSize(): Promise<void> {
    const { name, bytes } = this.#file;
    const stat = await this.#handle.stat().catch((error) => {
      throw readFailed(name, error);
    });
    if (!stat.isFile()) throw readFailed(name, 'it is not a file');
    if (stat.size !== bytes) throw readFailed(name, `it has ${stat.size} bytes, ${bytes} are announced`);
  }
}

/** The real path of a file, which lies below `<root>/streams` and ends in `.parquet`, links followed. */
async function locate(root: string, { name, path }: TransferFile): Promise<string> {
  const outside = new MqttStreamError('TRANSFER_OUTSIDE', [name]);
  if (isAbsolute(path) || !isBelow(join(root, 'streams'), resolve(root, path))) throw outside;
  try {
    const real = await realpath(resolve(root, path));
    if (isBelow(await realpath(join(root, 'streams')), real)) return real;
  } catch (error) {
    throw readFailed(name, error);
  }
  throw outside;
}

function isBelow(folder: string, path: string): boolean {
  return path.startsWith(folder + sep) && path.endsWith('.parquet');
}

/** The system's own texts hold full paths and this one goes to receivers: only their code is told. */
export function readFailed(name: string, thrown: unknown): MqttStreamError {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : null;
  return new MqttStreamError('TRANSFER_READ_FAILED', [name, code ?? textOf(thrown)], { cause: thrown });
}

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { isAbsolute, join, resolve, sep } from 'node:path';
import { MqttStreamError, textOf } from '../errors.js';
import { type ByteSource, type ReadableHandle, StoredBytes } from '../seal/byte-source.js';
import { Keyring } from '../seal/keyring.js';
import { OpenedBytes } from '../seal/opened-bytes.js';
import type { TransferFile } from './messages.js';

/** What of a `FileHandle` is used. */
export interface ReadableFile extends ReadableHandle {
  stat(): Promise<{ readonly size: number; isFile(): boolean }>;
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
  readonly #bytes: ByteSource;

  private constructor(file: TransferFile, handle: ReadableFile, bytes: ByteSource) {
    this.#file = file;
    this.#handle = handle;
    this.#bytes = bytes;
  }

  /** @throws TRANSFER_OUTSIDE, TRANSFER_READ_FAILED; KEY_MISSING and KEY_WRONG for a file to be decrypted */
  static async open(
    root: string,
    file: TransferFile,
    openFile: OpenFile,
    keyring = Keyring.EMPTY,
  ): Promise<Source> {
    const path = await locate(root, file);
    const failed = (thrown: unknown) => {
      throw readFailed(file.name, thrown);
    };
    const handle = await openFile(path).catch(failed);
    try {
      const stat = await handle.stat().catch(failed);
      if (!stat.isFile()) throw readFailed(file.name, 'it is not a file');
      const stored = new StoredBytes(handle, stat.size);
      const bytes = file.decrypt ? await OpenedBytes.open(stored, keyring, file.name).catch(failed) : stored;
      if (bytes.byteLength !== file.bytes)
        throw readFailed(file.name, `it has ${bytes.byteLength} bytes, ${file.bytes} are announced`);
      return new Source(file, handle, bytes);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Fills `chunk` from `position` on. @throws TRANSFER_READ_FAILED, also when the file ends before. */
  async read(chunk: Buffer, position: number): Promise<void> {
    await this.#bytes.read(chunk, position).catch((error) => {
      throw readFailed(this.#file.name, error);
    });
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
}

/** The real path of a file, which lies below `<root>/streams` and has the name of one, links followed. */
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
  return path.startsWith(folder + sep) && /\.parquet(\.enc)?$/.test(path);
}

/** The system's own texts hold full paths and this one goes to receivers: only their code is told. */
export function readFailed(name: string, thrown: unknown): MqttStreamError {
  if (thrown instanceof MqttStreamError) return thrown;
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : null;
  return new MqttStreamError('TRANSFER_READ_FAILED', [name, code ?? textOf(thrown)], { cause: thrown });
}

import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { textOf } from '../errors.js';
import { OpenedFrames } from '../seal/opened-frames.js';
import { SLOT_BYTES } from '../seal/slot.js';
import { Unsound } from '../seal/unsound.js';
import type { RecorderContext } from './context.js';
import type { Request } from './protocol.js';

/** Read between two looks at the rings: ~1 ms. */
const PIECE_BYTES = 1024 * 1024;

type DigestContext = Pick<RecorderContext, 'disk' | 'dataDir' | 'sealing' | 'post'>;
type DigestOrder = Pick<Extract<Request, { kind: 'hash' }>, 'id' | 'path' | 'open'>;

interface Work {
  readonly id: number;
  readonly file: number;
  readonly pieces: Iterator<Uint8Array, void>;
  readonly hash: Hash;
  bytes: number;
}

/** Checksums of files that were there before, one file after another, in small pieces. */
export class DigestQueue {
  readonly #context: DigestContext;
  readonly #waiting: DigestOrder[] = [];
  readonly #piece = new Uint8Array(PIECE_BYTES);
  #work: Work | null = null;

  constructor(context: DigestContext) {
    this.#context = context;
  }

  /** The report of its id will tell the result. */
  add(order: DigestOrder): void {
    this.#waiting.push(order);
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
      this.#context.post({ kind: 'undone', id, error: textOf(error) });
    }
    return true;
  }

  /** Gives up the file being read. */
  close(): void {
    if (this.#work === null) return;
    const { file } = this.#work;
    this.#work = null;
    this.#context.disk.close(file);
  }

  #begin(): Work {
    const { id, path, open } = this.#waiting.shift()!;
    const file = this.#context.disk.open(join(this.#context.dataDir, path), 'r');
    const pieces = open === undefined ? this.#stored(file) : this.#opened(file, path, open);
    return { id, file, pieces, hash: createHash('sha256'), bytes: 0 };
  }

  #read(work: Work): void {
    const { done, value } = work.pieces.next();
    if (!done) {
      work.hash.update(value);
      work.bytes += value.length;
      return;
    }
    this.close();
    const answer = { sha256: work.hash.digest('hex'), bytes: work.bytes };
    this.#context.post({ kind: 'done', id: work.id, answer });
  }

  *#stored(file: number): Generator<Uint8Array, void> {
    for (let position = 0; ; ) {
      const read = this.#context.disk.read(file, this.#piece, position);
      if (read === 0) return;
      yield this.#piece.subarray(0, read);
      position += read;
    }
  }

  *#opened(file: number, path: string, size: number): Generator<Uint8Array, void> {
    const { keyring } = this.#context.sealing;
    const frames = new OpenedFrames(this.#whole(file, 0, SLOT_BYTES), size, keyring, path);
    for (let number = 0; number < frames.layout.frames; number++) {
      const { position, length } = frames.layout.frame(number);
      yield frames.open(this.#whole(file, position, length), number);
    }
  }

  /** A view of the memory that the next piece is read to. */
  #whole(file: number, position: number, length: number): Buffer {
    const bytes = Buffer.from(this.#piece.buffer, 0, length);
    for (let done = 0; done < length; ) {
      const read = this.#context.disk.read(file, bytes.subarray(done), position + done);
      if (read === 0) throw new Unsound(`it ends at ${position + done}`);
      done += read;
    }
    return bytes;
  }
}

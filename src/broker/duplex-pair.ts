import { Duplex } from 'node:stream';

/** One end of a connection within the process. */
class End extends Duplex {
  #other: End | null = null;
  /** What the other end has written is taken. */
  #taken: (() => void) | null = null;

  constructor() {
    super({ allowHalfOpen: false });
  }

  join(other: End): void {
    this.#other = other;
  }

  override _read(): void {
    const taken = this.#taken;
    this.#taken = null;
    taken?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // Copied as by a socket: each side writes over its buffers as soon as they are taken.
    this.#other!.#arrived(Buffer.from(chunk), done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#other!.#arrived(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.#other!.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.#other!;
    // Nobody is going to read what is written here.
    this._read();
    // What was written before is still to be read there.
    if (!other.destroyed && !this.writableFinished) other.push(null);
    done(error);
  }

  #arrived(bytes: Buffer, taken: () => void): void {
    if (this.push(bytes)) taken();
    else this.#taken = taken;
  }
}

/** Both ends of a connection that needs no network. */
export function duplexPair(): [Duplex, Duplex] {
  const one = new End();
  const other = new End();
  one.join(other);
  other.join(one);
  return [one, other];
}

/** Why bytes cannot be read any further. */
export type FrameFault = 'malformed' | 'too-large';

const MOST_HEADER_BYTES = 5;

/**
 * Cuts what is read from a connection into packets, by their fixed headers (MQTT 5, section 2.1). A packet that lies
 * whole in a chunk stays there; one that came in several is joined once, when its last byte is there. Nothing is set
 * aside for bytes that have only been announced.
 */
export class FrameReader {
  readonly #mostBytes: number;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  /** The beginning of a packet that is not whole yet. */
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  /** Bytes of that packet; 0: its header is not whole. */
  #need = 0;

  /** Of the packet that `next` has found: its memory, where it starts, where what follows its header starts, its end. */
  bytes: Buffer = this.#chunk;
  start = 0;
  body = 0;
  end = 0;
  /** The packet found is this large, or this much was announced. */
  size = 0;
  fault: FrameFault | null = null;

  /** `mostBytes`: of a packet. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** What is read next; packets of the chunk before may still be to be found. */
  feed(chunk: Buffer): void {
    let left = this.#chunk.subarray(this.#at);
    if (this.#need === 0 && this.#pieceBytes > 0) {
      // At most four bytes of a header.
      [left] = this.#pieces;
      this.#forget();
    }
    this.#chunk = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
    this.#at = 0;
  }

  /** Finds the next packet. False: there is no whole one, or a fault. */
  next(): boolean {
    if (this.#need > 0) return this.#rest();
    const chunk = this.#chunk;
    const at = this.#at;
    const left = chunk.length - at;
    if (left === 0) return false;
    let remaining = 0;
    let body = at + 1;
    for (let shift = 0; ; shift += 7) {
      if (body === chunk.length) return this.#keep(0);
      const digit = chunk[body++];
      remaining |= (digit & 0x7f) << shift;
      if (digit < 0x80) break;
      if (body - at === MOST_HEADER_BYTES) {
        this.fault = 'malformed';
        return false;
      }
    }
    const size = body - at + remaining;
    this.size = size;
    if (size > this.#mostBytes) {
      this.fault = 'too-large';
      return false;
    }
    if (size > left) return this.#keep(size);
    this.#found(chunk, at, body, at + size);
    this.#at = at + size;
    return true;
  }

  #keep(need: number): false {
    this.#pieces.push(this.#at === 0 ? this.#chunk : this.#chunk.subarray(this.#at));
    this.#pieceBytes += this.#chunk.length - this.#at;
    this.#need = need;
    this.#at = this.#chunk.length;
    return false;
  }

  #rest(): boolean {
    const missing = this.#need - this.#pieceBytes;
    if (this.#chunk.length - this.#at < missing) {
      if (this.#at < this.#chunk.length) this.#keep(this.#need);
      return false;
    }
    const end = this.#at + missing;
    this.#pieces.push(this.#chunk.subarray(this.#at, end));
    const whole = Buffer.concat(this.#pieces, this.#need);
    this.#at = end;
    this.#forget();
    let body = 1;
    while (whole[body++] >= 0x80);
    this.size = whole.length;
    this.#found(whole, 0, body, whole.length);
    return true;
  }

  #forget(): void {
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#need = 0;
  }

  #found(bytes: Buffer, start: number, body: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.body = body;
    this.end = end;
  }
}

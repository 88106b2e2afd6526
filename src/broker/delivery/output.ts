import type { Duplex } from 'node:stream';
import type { BrokerStats } from '../stats.js';
import type { Frame } from './message.js';
import type { Turn } from './turn.js';

/** What is copied goes into buffers of this size. */
const BUFFER_BYTES = 16 * 1024;
/** Buffers that no connection needs at the moment. */
const SPARE: Buffer[] = [];
const MOST_SPARE = 64;

/** Shorter pieces are copied: that costs less than one more piece to write. */
const COPY_BELOW = 1024;
/** So much is written at once, before the turn ends. */
const WRITE_FROM = 64 * 1024;
/** Up to here a loop over bytes is cheaper than a call (measured: ~60 ns a call). */
const LOOP_BELOW = 80;
const DUP = 0x08;

/**
 * All that goes out on one connection, in order, written once a turn. Frames that lie one behind the other in what
 * was read leave as they came, as one piece of that memory: nothing is copied and a message costs ~10 ns. Small
 * pieces are copied into a buffer, which is used again as soon as the connection has taken what is in it.
 */
export class Output {
  readonly #conn: Duplex;
  readonly #turn: Turn;
  readonly #stats: BrokerStats;
  /** The connection's own, behind which others' writes come after what waits here. */
  readonly #write: (chunk: Buffer) => boolean;
  readonly #cork: () => void;
  #due = false;
  #over = false;
  #pieces: Buffer[] = [];
  /** Bytes not yet written to the connection. */
  #pending = 0;
  /** Copied bytes that are not yet a piece are `#buffer[#from..#to]`. */
  #buffer: Buffer | null = null;
  #from = 0;
  #to = 0;
  /** What lies behind that, in memory that is not ours. */
  #shared: Buffer | null = null;
  #sharedFrom = 0;
  #sharedTo = 0;

  constructor(conn: Duplex, turn: Turn, stats: BrokerStats) {
    this.#conn = conn;
    this.#turn = turn;
    this.#stats = stats;
    const { write, end, destroy, cork } = conn;
    this.#write = write.bind(conn);
    this.#cork = cork.bind(conn);
    const flushed =
      <A extends unknown[], R>(method: (...args: A) => R, packets: number) =>
      (...args: A): R => {
        this.flush();
        const [chunk] = args;
        if (typeof chunk === 'string' || chunk instanceof Uint8Array) {
          stats.wireBytesSent += Buffer.byteLength(chunk);
          stats.packetsSent += packets;
        }
        return method.apply(conn, args);
      };
    // aedes writes CONNACK, PINGRESP and DISCONNECT, and ends connections.
    conn.write = flushed(write as (...args: unknown[]) => boolean, 0) as typeof write;
    conn.end = flushed(end as (...args: unknown[]) => Duplex, 1) as typeof end;
    conn.destroy = flushed(destroy, 0);
    // mqtt-packet does this once a packet, which it writes in several pieces.
    conn.cork = () => {
      stats.packetsSent++;
      this.#cork();
    };
    conn.on('drain', () => this.#release());
  }

  /** Bytes that the connection's peer has not taken. */
  get pendingBytes(): number {
    return this.#pending + this.#conn.writableLength;
  }

  /** PUBACK, PUBREC, PUBREL or PUBCOMP, whose first byte is `first`. Reason code 0 is left out. */
  acknowledge(first: number, id: number, reason: number): void {
    const bytes = reason === 0 ? 4 : 5;
    const at = this.#room(bytes);
    const buffer = this.#buffer!;
    buffer[at] = first;
    buffer[at + 1] = bytes - 2;
    buffer[at + 2] = id >> 8;
    buffer[at + 3] = id & 0xff;
    if (reason > 0) buffer[at + 4] = reason;
    this.#stats.packetsSent++;
    this.#added(bytes);
  }

  /** A packet behind which nothing is sent any more. */
  last(bytes: Buffer): void {
    this.packet(bytes);
    this.flush();
    this.#over = true;
  }

  /** Any other packet. */
  packet(bytes: Buffer): void {
    this.#stats.packetsSent++;
    this.#share(bytes, 0, bytes.length);
  }

  /** PUBLISH with QoS 0. */
  publish({ head, start, headEnd, payloadBuffer, payloadAt, payloadEnd }: Frame): void {
    this.#stats.packetsSent++;
    if (head === payloadBuffer) {
      this.#share(head, start, payloadEnd);
    } else {
      this.#share(head, start, headEnd);
      this.#share(payloadBuffer, payloadAt, payloadEnd);
    }
  }

  /** PUBLISH with QoS 1 or 2; `again`: it was sent before [MQTT-3.3.1-1]. */
  publishAs(frame: Frame, id: number, again: boolean): void {
    this.#stats.packetsSent++;
    const { head, start, headEnd, idAt, payloadBuffer, payloadAt, payloadEnd } = frame;
    const whole = head === payloadBuffer && payloadEnd - start < COPY_BELOW;
    const bytes = (whole ? payloadEnd : headEnd) - start;
    if (bytes > BUFFER_BYTES) {
      // A topic or properties longer than a buffer.
      const own = Buffer.from(head.subarray(start, headEnd));
      own.writeUInt16BE(id, idAt - start);
      if (again) own[0] |= DUP;
      this.#share(own, 0, bytes);
    } else {
      const at = this.#room(bytes);
      const buffer = this.#buffer!;
      copy(head, start, start + bytes, buffer, at);
      if (again) buffer[at] |= DUP;
      const idTo = at + idAt - start;
      buffer[idTo] = id >> 8;
      buffer[idTo + 1] = id & 0xff;
      this.#added(bytes);
    }
    if (!whole) this.#share(payloadBuffer, payloadAt, payloadEnd);
  }

  /** Writes all of it to the connection. */
  flush(): void {
    this.#due = false;
    if (this.#pending === 0) return;
    this.#closeShared();
    this.#closeCopied();
    const pieces = this.#pieces;
    const bytes = this.#pending;
    this.#pieces = [];
    this.#pending = 0;
    const conn = this.#conn;
    if (conn.destroyed || conn.writableEnded || this.#over) return;
    this.#stats.wireBytesSent += bytes;
    if (pieces.length === 1) {
      this.#write(pieces[0]);
    } else {
      this.#cork();
      for (let i = 0; i < pieces.length; i++) this.#write(pieces[i]);
      conn.uncork();
    }
    this.#release();
  }

  #share(bytes: Buffer, from: number, to: number): void {
    if (this.#shared === bytes && this.#sharedTo === from) {
      this.#sharedTo = to;
    } else if (to > from) {
      this.#closeShared();
      this.#shared = bytes;
      this.#sharedFrom = from;
      this.#sharedTo = to;
    }
    this.#count(to - from);
  }

  #count(bytes: number): void {
    this.#pending += bytes;
    if (this.#pending >= WRITE_FROM) {
      this.flush();
    } else if (!this.#due) {
      this.#due = true;
      this.#turn.add(this);
    }
  }

  /**
   * Makes a piece of what is shared, or copies it: a piece keeps alive all of the memory that it lies in, which is
   * at most twice of what `pendingBytes` says.
   */
  #closeShared(): void {
    const shared = this.#shared;
    if (shared === null) return;
    const from = this.#sharedFrom;
    const to = this.#sharedTo;
    this.#shared = null;
    const bytes = to - from;
    const small = bytes * 2 < shared.buffer.byteLength;
    if (bytes < COPY_BELOW || (small && bytes <= BUFFER_BYTES)) {
      const at = this.#room(bytes);
      copy(shared, from, to, this.#buffer!, at);
      this.#to += bytes;
    } else {
      this.#closeCopied();
      const piece = shared.subarray(from, to);
      this.#pieces.push(small ? Buffer.from(piece) : piece);
    }
  }

  #closeCopied(): void {
    if (this.#to === this.#from) return;
    this.#pieces.push(this.#buffer!.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }

  /** Where `bytes` bytes, at most `BUFFER_BYTES`, may be written to the buffer, behind all that came before. */
  #room(bytes: number): number {
    if (this.#shared !== null) this.#closeShared();
    if (this.#buffer === null || this.#to + bytes > BUFFER_BYTES) {
      this.#closeCopied();
      this.#buffer = SPARE.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
      this.#from = 0;
      this.#to = 0;
    }
    return this.#to;
  }

  #added(bytes: number): void {
    this.#to += bytes;
    this.#count(bytes);
  }

  /** Gives the buffer up once nobody needs what is in it: a connection without anything to send has none. */
  #release(): void {
    const { writableLength, destroyed } = this.#conn;
    if (this.#buffer === null || this.#pending > 0 || writableLength > 0 || destroyed) return;
    if (SPARE.length < MOST_SPARE) SPARE.push(this.#buffer);
    this.#buffer = null;
  }
}

function copy(source: Buffer, from: number, to: number, target: Buffer, at: number): void {
  const shift = at - from;
  if (to - from > LOOP_BELOW) source.copy(target, at, from, to);
  else for (let i = from; i < to; i++) target[i + shift] = source[i];
}

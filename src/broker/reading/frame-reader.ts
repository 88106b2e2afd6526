import { PACKET_TOO_LARGE, type PacketFault, protocolError, unreadable } from '../packet-fault.js';

const BAD_LENGTH = unreadable('the remaining length is malformed [MQTT-1.5.5-1]');
/** The first byte of packet type 1. */
const LEAST_FIRST = 0x10;
const NO_TYPE = protocolError('there is no packet type 0 (MQTT 5 section 2.1.2)');
const MOST_HEADER_BYTES = 5;
const NOTHING = Buffer.alloc(0);
/** A packet whose rest is at least so long is read into memory of its own. */
const LARGE = 16 * 1024;
const LEAST_OWN = 64 * 1024;
/** Its memory is at most so many times what has come of it: announcing much costs nobody anything. */
const GROWTH = 8;

/**
 * Cuts what is read from a connection into packets, by their fixed headers (MQTT 5, section 2.1). A packet that lies
 * whole in a chunk stays there. One that does not gets memory of its own, into which the rest of a large one is read
 * directly: see `wanted`.
 */
export class FrameReader {
  /** Of a packet. */
  mostBytes: number;
  /** Whether a remaining length has to be as short as it can be, which only MQTT 5 demands. */
  shortest = false;
  #chunk: Buffer = NOTHING;
  #at = 0;
  /** A packet that is not whole yet: as far as it has come, how far that is, and how long it is; 0: there is none. */
  #whole: Buffer = NOTHING;
  #have = 0;
  #need = 0;
  #large = false;

  /** Of the packet that `next` has found: its memory, where it starts, where what follows its header starts, its end. */
  bytes: Buffer = NOTHING;
  start = 0;
  body = 0;
  end = 0;
  /** The packet found is this large, or this much was announced. */
  size = 0;
  /** Why bytes cannot be read any further. */
  fault: PacketFault | null = null;

  constructor(mostBytes: number) {
    this.mostBytes = mostBytes;
  }

  /** Where the next chunk is to be read to, so that it need not be copied; null: anywhere. */
  wanted(): Buffer | null {
    return this.#large ? this.#whole.subarray(this.#have) : null;
  }

  /** What is read next; packets of the chunk before may still be to be found. */
  feed(chunk: Buffer): void {
    if (this.#large && chunk.buffer === this.#whole.buffer) {
      this.#have += chunk.length;
      return;
    }
    const left = this.#chunk.length - this.#at;
    this.#chunk = left === 0 ? chunk : Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** Finds the next packet. False: there is no whole one, or a fault. */
  next(): boolean {
    if (this.#need > 0) return this.#rest();
    const chunk = this.#chunk;
    const at = this.#at;
    const left = chunk.length - at;
    if (left === 0) return this.#letGo();
    let remaining = 0;
    let body = at + 1;
    for (let shift = 0; ; shift += 7) {
      if (body === chunk.length) return this.#keepHeader();
      const digit = chunk[body++];
      remaining |= (digit & 0x7f) << shift;
      if (digit < 0x80) break;
      if (body - at === MOST_HEADER_BYTES) return this.#fail(BAD_LENGTH);
    }
    if (body - at > 2 && chunk[body - 1] === 0 && this.shortest) return this.#fail(BAD_LENGTH);
    const size = body - at + remaining;
    this.size = size;
    if (size > this.mostBytes) return this.#fail(tooLarge(size, this.mostBytes));
    if (size > left) {
      if (chunk[at] < LEAST_FIRST) return this.#fail(NO_TYPE);
      this.#need = size;
      return this.#rest();
    }
    this.#found(chunk, at, body, at + size);
    this.#at = at + size;
    return true;
  }

  /** What has no type is not waited for, and its length is no matter. */
  #fail(fault: PacketFault): false {
    this.fault = this.#chunk[this.#at] < LEAST_FIRST ? NO_TYPE : fault;
    return false;
  }

  /** Goes on with a packet that is not whole. */
  #rest(): boolean {
    const chunk = this.#chunk;
    const need = this.#need;
    const there = Math.min(need - this.#have, chunk.length - this.#at);
    if (there > 0) {
      this.#reserve(this.#have + there);
      chunk.copy(this.#whole, this.#have, this.#at, this.#at + there);
      this.#have += there;
      this.#at += there;
    }
    if (this.#have < need) {
      const { length } = this.#whole;
      if (length < need && length - this.#have < LARGE) this.#reserve(length + 1);
      this.#large = need - this.#have >= LARGE;
      return this.#letGo();
    }
    const whole = this.#whole;
    this.#whole = NOTHING;
    this.#have = 0;
    this.#need = 0;
    this.#large = false;
    let body = 1;
    while (whole[body++] >= 0x80);
    this.size = need;
    this.#found(whole, 0, body, need);
    return true;
  }

  /** Makes room for `bytes` of the packet, and more if it is going to be longer. */
  #reserve(bytes: number): void {
    if (bytes <= this.#whole.length) return;
    const size = Math.min(this.#need, Math.max(bytes * GROWTH, LEAST_OWN));
    const larger = size < LARGE ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
    this.#whole.copy(larger, 0, 0, this.#have);
    this.#whole = larger;
  }

  /** At most four bytes of a header wait for the next chunk. */
  #keepHeader(): false {
    if (this.#chunk[this.#at] < LEAST_FIRST) return this.#fail(NO_TYPE);
    const header = Buffer.from(this.#chunk.subarray(this.#at));
    this.#letGo();
    this.#chunk = header;
    return false;
  }

  /** Nothing of the chunk is needed any more: a connection that is silent now keeps none. */
  #letGo(): false {
    this.#chunk = NOTHING;
    this.#at = 0;
    this.bytes = NOTHING;
    return false;
  }

  #found(bytes: Buffer, start: number, body: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.body = body;
    this.end = end;
  }
}

function tooLarge(size: number, most: number): PacketFault {
  return { text: `packet too large: ${size} bytes, at most ${most} are taken`, reason: PACKET_TOO_LARGE };
}

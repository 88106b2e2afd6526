/** A client's side of MQTT over WebSocket: the bytes of MQTT are cut into frames without regard to packets. */
import { randomBytes } from 'node:crypto';

const BINARY = 2;
const FINAL = 0x80;
const MASKED = 0x80;
const MASK_BYTES = 4;
/** Most bytes before a frame's payload; a multiple of a mask's length, so that words can be masked. */
const HEAD_ROOM = 16;

export function upgradeRequest(port: number): string {
  const key = randomBytes(16).toString('base64');
  return (
    `GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n`
  );
}

/** `payload` as one binary frame, masked as clients have to. */
export function clientFrame(payload: Uint8Array): Buffer {
  const { length } = payload;
  const buffer = new ArrayBuffer(HEAD_ROOM + Math.ceil(length / MASK_BYTES) * MASK_BYTES);
  const bytes = Buffer.from(buffer, 0, HEAD_ROOM + length);
  bytes.set(payload, HEAD_ROOM);
  const mask = (Math.random() * 2 ** 32) | 1;
  const words = new Int32Array(buffer, HEAD_ROOM);
  for (let i = 0; i < words.length; i++) words[i] ^= mask;
  new Int32Array(buffer, HEAD_ROOM - MASK_BYTES, 1)[0] = mask;
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const at = HEAD_ROOM - MASK_BYTES - size - 2;
  bytes[at] = FINAL | BINARY;
  bytes[at + 1] = MASKED | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) bytes.writeUInt16BE(length, at + 2);
  if (size === 8) bytes.writeBigUInt64BE(BigInt(length), at + 2);
  return bytes.subarray(at);
}

/** Takes the payloads out of a server's frames. */
export class FrameReader {
  /** Whether the server has answered the upgrade. */
  open = false;
  #response = '';
  readonly #head = Buffer.alloc(10);
  #headBytes = 0;
  /** Bytes to come of the payload of a frame. */
  #rest = 0;
  /** Whether that payload is MQTT's. */
  #wanted = true;

  /** Moves the payloads that lie between `from` and `to` to `from`; where they end. Throws if it is refused. */
  unwrap(bytes: Buffer, from: number, to: number): number {
    let at = this.open ? from : this.#upgrade(bytes, from, to);
    let end = from;
    while (at < to) {
      if (this.#rest === 0) {
        this.#takeHead(bytes[at++]);
        continue;
      }
      const length = Math.min(this.#rest, to - at);
      if (this.#wanted) {
        bytes.copyWithin(end, at, at + length);
        end += length;
      }
      at += length;
      this.#rest -= length;
    }
    return end;
  }

  #takeHead(byte: number): void {
    const head = this.#head;
    head[this.#headBytes++] = byte;
    if (this.#headBytes < 2) return;
    const size = head[1] < 126 ? 0 : head[1] === 126 ? 2 : 8;
    if (this.#headBytes < 2 + size) return;
    this.#headBytes = 0;
    this.#rest = size === 0 ? head[1] : size === 2 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2));
    // Continuations are 0; pings and closes have payloads of their own.
    this.#wanted = (head[0] & 15) <= BINARY;
  }

  /** Where the answer ends. */
  #upgrade(bytes: Buffer, from: number, to: number): number {
    const before = this.#response.length;
    this.#response += bytes.toString('latin1', from, to);
    const end = this.#response.indexOf('\r\n\r\n');
    if (end < 0) return to;
    if (!this.#response.startsWith('HTTP/1.1 101')) {
      throw new Error(`the broker refused WebSocket: ${this.#response.split('\r\n', 1)[0]}`);
    }
    this.open = true;
    return from + end + 4 - before;
  }
}

import { connect, type Socket } from 'node:net';
import { clientFrame, FrameReader, upgradeRequest } from './frames.js';
import { CONNACK, connectPacket } from './packets.js';
import type { FlowPlan } from './plan.js';

/** A packet is handed over once so much of it is there, or all of it. */
const HEAD_BYTES = 128;
const READ_BYTES = 256 * 1024;

export interface PacketTaker {
  /** `at`: where what follows the fixed header begins in `bytes`; at least the first `HEAD_BYTES` are there. */
  packet(type: number, flags: number, bytes: Buffer, at: number): void;
  /** All that was received at once has been handed over. */
  turn(): void;
}

/** A connection to a broker that looks at packets without copying them. */
export class Connection {
  readonly #socket: Socket;
  readonly #taker: PacketTaker;
  readonly #port: number;
  readonly #onEnd: (reason: string) => void;
  /** null: MQTT is on TCP itself. */
  readonly #frames: FrameReader | null;
  /** What is read goes behind the room for a packet's beginning that the read before has left. */
  readonly #bytes = Buffer.alloc(HEAD_BYTES + READ_BYTES);
  /** Bytes of a packet's beginning in that room. */
  #begun = 0;
  /** Bytes to come of a packet that was handed over. */
  #rest = 0;
  #clientId = '';

  constructor({ port, protocol }: FlowPlan, taker: PacketTaker, onEnd: (reason: string) => void) {
    this.#taker = taker;
    this.#port = port;
    this.#onEnd = onEnd;
    this.#frames = protocol === 'ws' ? new FrameReader() : null;
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: this.#bytes.subarray(HEAD_BYTES),
        callback: (length) => {
          if (this.#frames === null) this.#read(length);
          else this.#readFrames(this.#frames, length);
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => onEnd(error.message));
    this.#socket.on('close', () => onEnd('the broker closed the connection'));
  }

  /** Sends CONNECT; the taker gets the CONNACK. */
  introduce(clientId: string): void {
    this.#clientId = clientId;
    if (this.#frames === null) this.write(connectPacket(clientId));
    else this.#socket.write(upgradeRequest(this.#port));
  }

  /** Whole packets; `done`: they may be changed again. */
  write(bytes: Uint8Array, done?: () => void): void {
    this.#socket.write(this.#frames === null ? bytes : clientFrame(bytes), done);
  }

  /** Reads nothing more. */
  stall(): void {
    this.#socket.pause();
  }

  end(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #readFrames(frames: FrameReader, length: number): void {
    const wasOpen = frames.open;
    try {
      length = frames.unwrap(this.#bytes, HEAD_BYTES, HEAD_BYTES + length) - HEAD_BYTES;
    } catch (error) {
      this.#onEnd((error as Error).message);
      return;
    }
    if (frames.open && !wasOpen) this.write(connectPacket(this.#clientId));
    this.#read(length);
  }

  #read(length: number): void {
    const bytes = this.#bytes;
    const taker = this.#taker;
    const end = HEAD_BYTES + length;
    let at = HEAD_BYTES - this.#begun + this.#rest;
    while (at < end) {
      let body = at + 1;
      let remaining = 0;
      let digit = 128;
      for (let shift = 0; digit >= 128 && body < end; shift += 7) {
        digit = bytes[body++];
        remaining += (digit & 127) << shift;
      }
      const next = body + remaining;
      if (digit >= 128 || (next > end && end - at < HEAD_BYTES)) break;
      const first = bytes[at];
      taker.packet(first >> 4, first & 15, bytes, body);
      at = next;
    }
    this.#rest = Math.max(0, at - end);
    this.#begun = Math.max(0, end - at);
    if (this.#begun > 0) bytes.copyWithin(HEAD_BYTES - this.#begun, at, end);
    taker.turn();
  }
}

/** Throws unless the broker has accepted the connection. */
export function checkConnack(bytes: Buffer, at: number): void {
  if (bytes[at + 1] !== 0)
    throw new Error(`the broker refused the connection: CONNACK (${CONNACK}) ${bytes[at + 1]}`);
}

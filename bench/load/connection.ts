import { connect, type Socket } from 'node:net';
import { CONNACK, connectPacket } from './packets.js';

/** A packet is handed over once so much of it is there, or all of it. */
const HEAD_BYTES = 128;
const READ_BYTES = 256 * 1024;

export interface ConnectionEvents {
  /** `at`: where what follows the fixed header begins in `bytes`; at least the first `HEAD_BYTES` are there. */
  packet(type: number, flags: number, bytes: Buffer, at: number): void;
  /** All that was received at once has been handed over. */
  turn(): void;
}

/** A connection to a broker that looks at packets without copying them. */
export class Connection {
  readonly socket: Socket;
  readonly #events: ConnectionEvents;
  /** What is read goes behind the room for a packet's beginning that the read before has left. */
  readonly #bytes = Buffer.alloc(HEAD_BYTES + READ_BYTES);
  /** Bytes of a packet's beginning in that room. */
  #begun = 0;
  /** Bytes to come of a packet that was handed over. */
  #rest = 0;

  constructor(port: number, events: ConnectionEvents, onEnd: (reason: string) => void) {
    this.#events = events;
    this.socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: this.#bytes.subarray(HEAD_BYTES),
        callback: (length) => {
          this.#read(length);
          return true;
        },
      },
    });
    this.socket.on('error', (error) => onEnd(error.message));
    this.socket.on('close', () => onEnd('the broker closed the connection'));
  }

  /** Sends CONNECT; the handler gets the CONNACK. */
  introduce(clientId: string): void {
    this.socket.write(connectPacket(clientId));
  }

  end(): void {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
  }

  #read(length: number): void {
    const bytes = this.#bytes;
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
      if (digit >= 128 || end - at < Math.min(body - at + remaining, HEAD_BYTES)) break;
      this.#events.packet(bytes[at] >> 4, bytes[at] & 15, bytes, body);
      at = body + remaining;
    }
    this.#rest = Math.max(0, at - end);
    this.#begun = Math.max(0, end - at);
    bytes.copyWithin(HEAD_BYTES - this.#begun, at, end);
    this.#events.turn();
  }
}

/** Throws unless the broker has accepted the connection. */
export function checkConnack(bytes: Buffer, at: number): void {
  if (bytes[at + 1] !== 0)
    throw new Error(`the broker refused the connection: CONNACK (${CONNACK}) ${bytes[at + 1]}`);
}

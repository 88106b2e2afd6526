import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';

/** RFC 6455, section 5.2. */
const FRAME_HEADER_BYTES = 14;

/**
 * A WebSocket as a byte stream, as MQTT has it [MQTT-6.0.0-2]. What is written in one turn leaves as one binary
 * frame; `createWebSocketStream` of `ws` sends a frame for every write, five for an MQTT packet.
 */
export class WebSocketStream extends Duplex {
  readonly #socket: WebSocket;
  /** The connection below, with or without TLS. */
  readonly carrier: Socket;
  /** Bytes of a message that is not whole yet, in whole chunks; -1: the chunk at work has brought one. */
  #partial = 0;
  #connected = false;
  readonly #measure: (chunk: Buffer) => void;

  /** `connectBytes`: what may be kept of a frame before the client is `connected`; `tooLarge` is told of more. */
  constructor(socket: WebSocket, carrier: Socket, connectBytes: number, tooLarge: () => void) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.carrier = carrier;
    this.#measure = (chunk) => {
      this.#partial = this.#partial < 0 ? 0 : this.#partial + chunk.length;
      if (this.#partial <= connectBytes + FRAME_HEADER_BYTES) return;
      tooLarge();
      carrier.off('data', this.#measure);
      // No closing handshake, during which more would come.
      socket.terminate();
      this.destroy(new Error('the first packet is too large'));
    };
    // After the WebSocket's own.
    carrier.on('data', this.#measure);
    socket.on('message', (data: RawData, isBinary: boolean) => {
      this.#partial = -1;
      if (this.destroyed) return;
      if (!isBinary) {
        // Text frames are a protocol error [MQTT-6.0.0-1].
        this.destroy(new Error('MQTT over WebSocket takes binary frames only'));
      } else if (!this.push(data as Buffer)) {
        socket.pause();
      }
    });
    // Not `destroy`: what the peer sent before it closed is still to be read.
    socket.once('close', () => {
      if (!this.destroyed) this.push(null);
    });
    socket.on('error', (error) => this.destroy(error));
  }

  /** The peer's address, as a socket has it. */
  get remoteAddress(): string | undefined {
    return this.carrier.remoteAddress;
  }

  /** From now on a frame may be as large as packets may be. */
  connected(): void {
    this.#connected = true;
    this.carrier.off('data', this.#measure);
    this.#socket.resume();
  }

  /** While CONNECT is handled nothing more is read; later on the socket is, until there is enough of it here. */
  override pause(): this {
    if (!this.#connected) this.#socket.pause();
    return super.pause();
  }

  override _read(): void {
    if (this.#connected || !this.isPaused()) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#send(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.#socket.close();
    // The peer's answer.
    this.#socket.resume();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.close(error === null ? 1000 : 1002);
    // A peer that does not answer the close is not waited for.
    else this.#socket.terminate();
    this.#socket.resume();
    done(error);
  }

  #send(bytes: Buffer, done: (error?: Error | null) => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) done(new Error('the WebSocket is closed'));
    else this.#socket.send(bytes, { binary: true }, done);
  }
}

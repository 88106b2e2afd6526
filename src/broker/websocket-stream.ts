import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';

/**
 * A WebSocket as a byte stream, as MQTT has it [MQTT-6.0.0-2]. What is written in one turn leaves as one binary
 * frame; `createWebSocketStream` of `ws` sends a frame for every write, five for an MQTT packet.
 */
export class WebSocketStream extends Duplex {
  readonly #socket: WebSocket;
  /** The peer's address, as a socket has it. */
  readonly remoteAddress: string | undefined;

  constructor(socket: WebSocket, remoteAddress: string | undefined) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.remoteAddress = remoteAddress;
    socket.on('message', (data: RawData, isBinary: boolean) => {
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

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#send(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.#socket.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.close(error === null ? 1000 : 1002);
    // A peer that does not answer the close is not waited for.
    else this.#socket.terminate();
    done(error);
  }

  #send(bytes: Buffer, done: (error?: Error | null) => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) done(new Error('the WebSocket is closed'));
    else this.#socket.send(bytes, { binary: true }, done);
  }
}

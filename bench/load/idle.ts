/** Clients that connect and then do nothing. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connectPacket } from './packets.js';

/** Below every broker's backlog. */
const AT_ONCE = 50;

export class IdleClients {
  readonly #sockets: Socket[] = [];

  /** Adds `count` clients to those that are there. Rejects unless the broker accepts every one. */
  async connect(port: number, count: number): Promise<void> {
    for (let done = 0; done < count; done += AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - done) }, () => this.#one(port)));
    }
  }

  /** Throws if the broker has closed one of them meanwhile. */
  close(): void {
    const lost = this.#sockets.filter(({ destroyed, readableEnded }) => destroyed || readableEnded).length;
    for (const socket of this.#sockets.splice(0)) socket.destroy();
    if (lost > 0) throw new Error(`${lost} idle connections were closed by the broker`);
  }

  async #one(port: number): Promise<void> {
    const socket = connect({ port, host: '127.0.0.1' });
    this.#sockets.push(socket);
    socket.write(connectPacket(`idle-${process.pid}-${this.#sockets.length}`));
    const [connack] = (await once(socket, 'data')) as [Buffer];
    if (connack[3] !== 0) throw new Error(`the broker refused an idle connection: ${connack[3]}`);
    socket.on('error', () => {});
  }
}

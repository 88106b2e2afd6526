/** Clients that connect and then do nothing. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connectPacket } from './packets.js';

/** Below every broker's backlog. */
const AT_ONCE = 50;

export class IdleClients {
  readonly #sockets: Socket[] = [];

  /** Adds `count` clients to those that are there. How many of them the broker has accepted. */
  async connect(port: number, count: number): Promise<number> {
    let accepted = 0;
    for (let done = 0; done < count; done += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, count - done) }, () => this.#one(port));
      accepted += (await Promise.all(some)).filter((ok) => ok).length;
    }
    return accepted;
  }

  /** How many the broker has closed meanwhile. */
  close(): number {
    const lost = this.#sockets.filter(({ destroyed, readableEnded }) => destroyed || readableEnded).length;
    for (const socket of this.#sockets.splice(0)) socket.destroy();
    return lost;
  }

  async #one(port: number): Promise<boolean> {
    const socket = connect({ port, host: '127.0.0.1' });
    this.#sockets.push(socket);
    socket.write(connectPacket(`idle-${process.pid}-${this.#sockets.length}`));
    const connack = await Promise.race([
      once(socket, 'data').then(([bytes]: Buffer[]) => bytes),
      once(socket, 'close').then(() => null),
    ]).catch(() => null);
    socket.on('error', () => {});
    return connack !== null && connack[3] === 0;
  }
}

/** The other broker: a socket that answers as a test says, and remembers what it was sent. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { generate, type IConnectPacket, type Packet, parser } from 'mqtt-packet';

export interface Script {
  /** CONNACK. */
  connack?: object;
  /** Reason codes of SUBACK. */
  granted?: number[];
  /** Whether a PUBLISH is acknowledged at once. */
  acknowledges?: boolean;
  /** Sent as it is instead of CONNACK. */
  garbage?: Buffer;
}

type Received = Packet & { readonly connection: number };

export class ScriptedRemote {
  readonly port: number;
  script: Script = {};
  readonly packets: Received[] = [];
  #sockets: { socket: Socket; version: 4 | 5 }[] = [];
  #waiting: { done: () => boolean; resolve: () => void }[] = [];
  #connections = 0;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(t: TestContext): Promise<ScriptedRemote> {
    const server = createServer((socket) => remote.#accept(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const remote = new ScriptedRemote((server.address() as AddressInfo).port);
    t.after(() => {
      server.close();
      remote.drop();
    });
    return remote;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  all<C extends Packet['cmd']>(cmd: C): (Received & { cmd: C })[] {
    return this.packets.filter((packet): packet is Received & { cmd: C } => packet.cmd === cmd);
  }

  /** Resolves when so many packets of a kind have come. */
  async got<C extends Packet['cmd']>(cmd: C, count = 1): Promise<(Received & { cmd: C })[]> {
    const done = () => this.all(cmd).length >= count;
    if (!done()) await new Promise<void>((resolve) => this.#waiting.push({ done, resolve }));
    return this.all(cmd);
  }

  /** To the connection that came last. */
  send(packet: object): void {
    const { socket, version } = this.#sockets.at(-1)!;
    socket.write(generate(packet as Packet, { protocolVersion: version }));
  }

  drop(): void {
    for (const { socket } of this.#sockets.splice(0)) socket.destroy();
  }

  #accept(socket: Socket): void {
    const connection = ++this.#connections;
    socket.on('error', () => {});
    const known = { socket, version: 5 as 4 | 5 };
    this.#sockets.push(known);
    const parsing = parser();
    parsing.on('packet', (packet: Packet) => {
      if (packet.cmd === 'connect') known.version = packet.protocolVersion as 4 | 5;
      this.packets.push(Object.assign(packet, { connection }));
      this.#answer(packet, known);
      this.#waiting = this.#waiting.filter(({ done, resolve }) => {
        if (done()) resolve();
        return !done();
      });
    });
    socket.on('data', (chunk) => parsing.parse(chunk));
  }

  #answer(packet: Packet, { socket, version }: { socket: Socket; version: 4 | 5 }): void {
    const { acknowledges = true, connack, garbage, granted } = this.script;
    const answer = (one: object) => socket.write(generate(one as Packet, { protocolVersion: version }));
    switch (packet.cmd) {
      case 'connect':
        if (garbage !== undefined) socket.write(garbage);
        else answer({ cmd: 'connack', sessionPresent: false, reasonCode: 0, returnCode: 0, ...connack });
        break;
      case 'subscribe': {
        const asked = packet.subscriptions.map(({ qos }) => qos);
        answer({ cmd: 'suback', messageId: packet.messageId, granted: granted ?? asked });
        break;
      }
      case 'publish':
        if (acknowledges && packet.qos > 0) answer({ cmd: 'puback', messageId: packet.messageId });
    }
  }
}

/** mqtt-packet knows it, its types do not. */
export function isBridge(packet: IConnectPacket): boolean {
  return (packet as { bridgeMode?: boolean }).bridgeMode === true;
}

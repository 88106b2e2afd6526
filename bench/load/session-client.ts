import { connect, type Socket } from 'node:net';
import mqttPacket, { type Packet } from 'mqtt-packet';

const VERSION = { protocolVersion: 4 } as const;

/** A client of MQTT 3.1.1 whose session lasts, and which acknowledges what it gets. */
export class SessionClient {
  readonly #socket: Socket;
  readonly #told = new Map<string, () => void>();
  /** Payloads, as they came, and exchanges that are over. */
  readonly payloads: string[] = [];
  #finished = 0;
  #wanted = 0;
  #complete: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    const parser = mqttPacket.parser(VERSION);
    parser.on('packet', (packet: Packet) => this.#arrived(packet));
    socket.on('data', (chunk) => parser.parse(chunk));
  }

  static async connect(port: number, clientId: string): Promise<SessionClient> {
    const client = new SessionClient(connect({ port, host: '127.0.0.1', noDelay: true }));
    await client.#ask(
      { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: false, clientId, keepalive: 0 },
      'connack',
    );
    return client;
  }

  subscribe(topic: string, qos: 1 | 2): Promise<void> {
    return this.#ask({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] }, 'suback');
  }

  /** Publishes the numbers below `count`, all at once; resolves when all are acknowledged. */
  publish(topic: string, qos: 1 | 2, count: number): Promise<void> {
    const acknowledged = this.finished(count);
    for (let i = 0; i < count; i++) {
      const messageId = (i % 65_535) + 1;
      this.#send({ cmd: 'publish', topic, payload: String(i), qos, messageId, dup: false, retain: false });
    }
    return acknowledged;
  }

  /** Resolves when so many exchanges are over. */
  finished(count: number): Promise<void> {
    this.#wanted = count;
    return new Promise((resolve) => {
      this.#complete = resolve;
      this.#look();
    });
  }

  async leave(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#send({ cmd: 'disconnect' });
    await closed;
  }

  #ask(packet: Packet, answer: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#told.set(answer, resolve);
      this.#socket.once('error', reject);
      this.#send(packet);
    });
  }

  #send(packet: Packet): void {
    this.#socket.write(mqttPacket.generate(packet, VERSION));
  }

  #arrived(packet: Packet): void {
    const { cmd, messageId } = packet;
    if (cmd === 'publish') {
      this.payloads.push(packet.payload.toString());
      this.#send({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId });
      if (packet.qos === 1) this.#finished++;
    } else if (cmd === 'pubrec') this.#send({ cmd: 'pubrel', messageId });
    else if (cmd === 'pubrel') {
      this.#send({ cmd: 'pubcomp', messageId });
      this.#finished++;
    } else if (cmd === 'puback' || cmd === 'pubcomp') this.#finished++;
    else this.#told.get(cmd)?.();
    this.#look();
  }

  #look(): void {
    if (this.#finished >= this.#wanted) this.#complete();
  }
}

/** A client that does only what it is told, packet by packet. */
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import mqttPacket, {
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type ISubscription,
  type Packet,
} from 'mqtt-packet';
import { Fifo } from '../../src/broker/delivery/fifo.js';

type Version = 3 | 4 | 5;

export interface ConnectOptions extends Partial<Omit<IConnectPacket, 'cmd' | 'protocolVersion'>> {
  readonly version?: Version;
}

export type Publish = Partial<Omit<IPublishPacket, 'cmd'>> & { readonly topic: string };

export class WireClient {
  readonly conn: Duplex;
  /** Settles when the connection has ended, however. */
  readonly ended: Promise<void>;
  readonly #version: Version;
  readonly #parser: mqttPacket.Parser;
  readonly #packets = new Fifo<Packet>();
  #waiting: { resolve: (packet: Packet) => void; reject: (error: Error) => void }[] = [];
  #over = false;
  #messageId = 0;

  constructor(conn: Duplex, version: Version = 5) {
    this.conn = conn;
    this.#version = version;
    this.#parser = mqttPacket.parser({ protocolVersion: version });
    this.#parser.on('packet', (packet) => this.#arrived(packet));
    conn.on('data', (bytes: Buffer) => this.#parser.parse(bytes));
    conn.on('error', () => {});
    this.ended = new Promise((resolve) =>
      conn.once('close', () => {
        this.#over = true;
        for (const { reject } of this.#waiting) reject(new Error('the connection has ended'));
        this.#waiting = [];
        resolve();
      }),
    );
  }

  static async open(t: TestContext, port: number, version: Version = 5): Promise<WireClient> {
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
    t.after(() => socket.destroy());
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new WireClient(socket, version);
  }

  /** A connected client. */
  static async connect(t: TestContext, port: number, options: ConnectOptions = {}): Promise<WireClient> {
    const client = await WireClient.open(t, port, options.version);
    await client.connect(options);
    return client;
  }

  /** All in one segment. */
  send(...packets: Packet[]): void {
    this.sendBytes(Buffer.concat(packets.map((packet) => this.encode(packet))));
  }

  sendBytes(bytes: Buffer): void {
    this.conn.write(bytes);
  }

  encode(packet: Packet): Buffer {
    return mqttPacket.generate(packet, { protocolVersion: this.#version });
  }

  /** The next packet that was not taken yet. */
  next(): Promise<Packet> {
    const packet = this.#packets.shift();
    if (packet !== undefined) return Promise.resolve(packet);
    if (this.#over) return Promise.reject(new Error('the connection has ended'));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async nextPublish(): Promise<IPublishPacket> {
    const packet = await this.next();
    if (packet.cmd !== 'publish') throw new Error(`expected publish, got ${JSON.stringify(packet)}`);
    return packet;
  }

  /** Whatever has arrived and was not taken. */
  take(): Packet[] {
    const packets = [...this.#packets];
    this.#packets.clear();
    return packets;
  }

  /** Everything that the broker had for this client when it saw a PINGREQ sent now. */
  async sync(): Promise<Packet[]> {
    this.send({ cmd: 'pingreq' });
    const packets: Packet[] = [];
    for (;;) {
      const packet = await this.next();
      if (packet.cmd === 'pingresp') return packets;
      packets.push(packet);
    }
  }

  async connect(options: ConnectOptions = {}): Promise<IConnackPacket> {
    this.send(this.connectPacket(options));
    const packet = await this.next();
    if (packet.cmd !== 'connack') throw new Error(`expected connack, got ${packet.cmd}`);
    return packet;
  }

  connectPacket({ version = this.#version, ...options }: ConnectOptions = {}): IConnectPacket {
    return {
      cmd: 'connect',
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: version,
      clientId: `wire-${Math.random().toString(36).slice(2)}`,
      clean: true,
      keepalive: 0,
      ...options,
    };
  }

  /** Resolves with the codes of the SUBACK. */
  async subscribe(
    subscriptions: string | Partial<ISubscription>[],
    subscriptionIdentifier?: number,
  ): Promise<number[]> {
    const asked =
      typeof subscriptions === 'string' ? [{ topic: subscriptions, qos: 2 as const }] : subscriptions;
    this.send({
      cmd: 'subscribe',
      messageId: this.newId(),
      subscriptions: asked.map((one) => ({ topic: '#', qos: 2, nl: false, rap: false, rh: 0, ...one })),
      ...(subscriptionIdentifier === undefined ? {} : { properties: { subscriptionIdentifier } }),
    });
    const packet = await this.next();
    if (packet.cmd !== 'suback') throw new Error(`expected suback, got ${packet.cmd}`);
    return packet.granted as number[];
  }

  publishPacket({ topic, ...options }: Publish): IPublishPacket {
    const { qos = 0 } = options;
    return {
      cmd: 'publish',
      topic,
      payload: '',
      dup: false,
      retain: false,
      qos,
      ...(qos > 0 && options.messageId === undefined ? { messageId: this.newId() } : {}),
      ...options,
    };
  }

  publish(publish: Publish): void {
    this.send(this.publishPacket(publish));
  }

  newId(): number {
    this.#messageId = (this.#messageId % 65_535) + 1;
    return this.#messageId;
  }

  /** The connection breaks; no DISCONNECT. */
  async break(): Promise<void> {
    this.conn.destroy();
    await this.ended;
  }

  #arrived(packet: Packet): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#packets.push(packet);
    else waiting.resolve(packet);
  }
}

/** Topic and payload of each PUBLISH. */
export function messages(packets: readonly Packet[]): string[] {
  return packets.flatMap((packet) =>
    packet.cmd === 'publish' ? [`${packet.topic} ${packet.payload.toString()}`] : [],
  );
}

export function payloads(packets: readonly Packet[]): string[] {
  return packets.flatMap((packet) => (packet.cmd === 'publish' ? [packet.payload.toString()] : []));
}

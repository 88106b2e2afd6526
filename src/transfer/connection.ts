import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import mqtt, { type IClientOptions, type IPublishPacket, MqttClient } from 'mqtt';
import { asKnown, MqttStreamError, textOf } from '../errors.js';
import { type BrokerTarget, brokerAddress, clientOptions } from './address.js';

type LogLine = (fields: object, message: string) => void;

/** A pino logger fits. */
export interface TransferLog {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
}

/** A broker somewhere, or in this process: then a new stream to it, each time that one is needed. */
export type Broker = BrokerTarget | { readonly connect: () => Duplex };

interface ConnectionSettings {
  readonly clientId: string;
  /** The one subscription, QoS 1. */
  readonly filter: string;
  readonly log: TransferLog;
  /** One message at a time; the acknowledgement, and with it the next message, waits for the promise. */
  readonly onMessage: (topic: string, payload: Buffer) => void | Promise<void>;
  /** Pause before a reconnect: doubles from `min` to `max`. */
  readonly reconnectMs?: { readonly min: number; readonly max: number };
}

export type ConnectionOptions = ConnectionSettings & Broker;

/** An unacknowledged publish met the end of its connection: it may have arrived or not. */
export class ConnectionLost extends Error {}

/** How long a broker that does not close its side is waited for. */
const CLOSE_MS = 1000;
/** The largest chunk and room for its topic. */
const MAX_PACKET_BYTES = 16 * 1024 * 1024 + 4096;

/**
 * An MQTT 5 connection with one subscription, made again when it is lost. "Up" means subscribed.
 * Nothing is sent a second time by itself: what was not acknowledged fails with `ConnectionLost`.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #client: MqttClient;
  readonly #address: string;
  readonly #pause: { readonly min: number; readonly max: number };
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #tail: Promise<void> = Promise.resolve();
  #up = false;
  #wasUp = false;
  #lastError: unknown = new Error('the connection was closed');
  #ended: MqttStreamError | null = null;
  #closing: Promise<void> | null = null;

  private constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#address = 'connect' in options ? 'this process' : addressText(options.url);
    this.#pause = options.reconnectMs ?? { min: 250, max: 10_000 };
    const settings: IClientOptions = {
      clientId: options.clientId,
      protocolVersion: 5,
      clean: true,
      keepalive: 30,
      resubscribe: false,
      reconnectPeriod: this.#pause.min,
      reconnectOnConnackError: true,
      properties: { maximumPacketSize: MAX_PACKET_BYTES },
    };
    this.#client =
      'connect' in options
        ? new MqttClient(options.connect, settings)
        : mqtt.connect({ ...clientOptions(options), ...settings });
    this.#client.on('connect', () => void this.#subscribe());
    this.#client.on('close', () => this.#onClose());
    this.#client.on('error', (error) => {
      this.#lastError = error;
      options.log.debug({ err: error }, 'connection error');
    });
    this.#client.handleMessage = (packet, done) => this.#onMessage(packet, done);
  }

  /** @throws BROKER_UNREACHABLE when the first connection fails; later ones are tried for ever. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(options);
    await connection.up();
    return connection;
  }

  get isUp(): boolean {
    return this.#up;
  }

  /** Resolves while up. @throws SHUTTING_DOWN once closed. */
  async up(): Promise<void> {
    if (this.#ended) throw this.#ended;
    if (!this.#up) await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /**
   * QoS 1; resolves with the acknowledgement, `payload` may be written over from then on.
   * @throws ConnectionLost, or the error of a broker that refuses.
   */
  publish(topic: string, payload: string | Buffer): Promise<void> {
    if (!this.#up) return Promise.reject(new ConnectionLost('not connected'));
    return new Promise((resolve, reject) => {
      this.#client.publish(topic, payload, { qos: 1 }, (error) => {
        if (!error) resolve();
        else if ('code' in error && typeof error.code === 'number') reject(error);
        else reject(new ConnectionLost(error.message, { cause: error }));
      });
    });
  }

  /** Waits for the message at work. What is not acknowledged by now fails. */
  close(): Promise<void> {
    this.#closing ??= this.#end(new MqttStreamError('SHUTTING_DOWN'));
    return this.#closing;
  }

  async #end(reason: MqttStreamError): Promise<void> {
    this.#ended = reason;
    const force = !this.#up || Object.keys(this.#client.outgoing).length > 0;
    const timer = setTimeout(() => this.#client.stream.destroy(), CLOSE_MS);
    await this.#client.endAsync(force);
    clearTimeout(timer);
    this.#settle();
    await this.#tail;
  }

  async #subscribe(): Promise<void> {
    // A packet is several writes: held back for the acknowledgement of the first, each would take 40 ms.
    const { stream } = this.#client;
    if (stream instanceof Socket) stream.setNoDelay(true);
    try {
      await this.#client.subscribeAsync(this.#options.filter, { qos: 1 });
    } catch (error) {
      this.#lastError = error;
      if (!this.#ended) this.#options.log.warn({ err: error }, `cannot subscribe to ${this.#options.filter}`);
      // Of no use without its subscription: drop it, and come again after the pause.
      if (this.#client.connected) this.#client.stream.destroy();
      return;
    }
    if (!this.#client.connected || this.#ended) return;
    this.#up = true;
    this.#wasUp = true;
    this.#client.options.reconnectPeriod = this.#pause.min;
    this.#settle();
  }

  #onClose(): void {
    if (this.#up && !this.#ended) {
      this.#options.log.warn({ broker: this.#address }, 'the connection was lost');
    }
    this.#up = false;
    // The library has set its timer already: this is the pause after the next failure.
    const period = this.#client.options.reconnectPeriod ?? this.#pause.min;
    this.#client.options.reconnectPeriod = Math.min(period * 2, this.#pause.max);
    // Else the library would send these again, into the middle of a file that has been restarted.
    for (const id of Object.keys(this.#client.outgoing)) this.#client.removeOutgoingMessage(Number(id));
    if (!this.#wasUp) {
      const cause = this.#lastError;
      const args = [this.#address, textOf(cause) || String((cause as { code?: unknown }).code)];
      this.#closing ??= this.#end(new MqttStreamError('BROKER_UNREACHABLE', args, { cause }));
    }
  }

  #onMessage(packet: IPublishPacket, done: () => void): void {
    // The library goes on with what it has parsed, though its stream is gone.
    if (this.#ended) {
      done();
      return;
    }
    // A chain, for the first message of a new connection may meet the last one of the old still at work.
    this.#tail = this.#tail
      .then(() => this.#options.onMessage(packet.topic, packet.payload as Buffer))
      .catch((error) => this.#options.log.error({ err: asKnown(error) }, 'a message could not be handled'))
      .then(() => done());
  }

  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve, reject } of waiting) {
      if (this.#ended) reject(this.#ended);
      else resolve();
    }
  }
}

function addressText(url: string): string {
  const { host, port } = brokerAddress(url);
  return `${host}:${port}`;
}

import { Socket } from 'node:net';
import mqtt, { type IClientOptions, type IConnackPacket, type IPublishPacket, type MqttClient } from 'mqtt';
import type { Outgoing } from './outgoing.js';
import type { Rule } from './rules.js';

export interface LinkOptions extends IClientOptions {
  /** CONNECT says that a bridge connects: bit 7 of the protocol version, which mosquitto knows of MQTT 3.1.1. */
  readonly bridgeMode: boolean;
}

export interface LinkEvents {
  up(connack: IConnackPacket): void;
  /** Once, and the last one, whatever was before. */
  down(reason: Error): void;
  /** The next one comes, and this one is acknowledged, when `done` is called. */
  message(packet: IPublishPacket, done: () => void): void;
}

/** A reason code of 0x80 or more. */
export class Refused extends Error {
  readonly reason: number;

  constructor(message: string, reason: number) {
    super(message);
    this.reason = reason;
  }
}

/** How long a broker that does not close its side is waited for. */
const CLOSE_MS = 1000;

/**
 * One connection, from CONNECT to its end. Nothing of it is carried over to the next one: mqtt.js would send again
 * by itself what was not acknowledged, in the middle of what comes from a stream.
 */
export class Link {
  readonly #client: MqttClient;
  readonly #events: LinkEvents;
  #reason: Error | null = null;
  #over = false;

  constructor({ bridgeMode, ...options }: LinkOptions, events: LinkEvents) {
    this.#events = events;
    const client = mqtt.connect({
      ...options,
      manualConnect: true,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
    });
    this.#client = client;
    client.on('packetsend', (packet) => {
      // Known to mqtt-packet, but neither to its types nor to mqtt.js' options.
      if (bridgeMode && packet.cmd === 'connect') Object.assign(packet, { bridgeMode });
    });
    client.on('connect', (connack) => this.#connected(connack));
    // After what is no MQTT the library would wait for more of it.
    client.on('error', (error) => this.destroy(error));
    client.on('disconnect', ({ reasonCode }) => {
      this.#reason ??= new Error(`it disconnected us with reason code 0x${(reasonCode ?? 0).toString(16)}`);
    });
    client.on('close', () => this.#down());
    client.handleMessage = (packet, done) => {
      // mqtt.js goes on with what it has parsed, though its stream is gone.
      if (!this.#over) events.message(packet, done);
    };
    client.connect();
  }

  /** False: the other broker refused, or there was no answer any more. */
  async subscribe({ filter, qos }: Rule): Promise<boolean> {
    try {
      // What we send is not to come back; the retain flag stays; retained messages come with a new subscription.
      await this.#client.subscribeAsync(filter, { qos, nl: true, rap: true, rh: 1 });
      return true;
    } catch {
      return false;
    }
  }

  /** `done`: acknowledged, or written in the case of QoS 0. It is not called any more once the link is down. */
  publish(message: Outgoing, done: (refused: Refused | null) => void): void {
    const { topic, payload, qos, retain, properties } = message;
    this.#client.publish(topic, payload, { qos, retain, properties }, (error) => {
      if (this.#over) return;
      if (!error) done(null);
      else if ('code' in error && typeof error.code === 'number')
        done(new Refused(error.message, error.code));
      else this.destroy(error);
    });
  }

  destroy(reason: Error): void {
    this.#reason ??= reason;
    this.#client.stream.destroy();
  }

  /** DISCONNECT; what is not acknowledged stays so. */
  async close(): Promise<void> {
    this.#over = true;
    const timer = setTimeout(() => this.#client.stream.destroy(), CLOSE_MS);
    await this.#client.endAsync(!this.#client.connected || Object.keys(this.#client.outgoing).length > 0);
    clearTimeout(timer);
  }

  #connected(connack: IConnackPacket): void {
    // A packet is several writes: held back for the acknowledgement of the first, each would take 40 ms.
    const { stream } = this.#client;
    if (stream instanceof Socket) stream.setNoDelay(true);
    if (!this.#over) this.#events.up(connack);
  }

  #down(): void {
    if (this.#over) return;
    this.#over = true;
    // Its timers.
    this.#client.end(true);
    this.#events.down(this.#reason ?? new Error('the connection was closed'));
  }
}

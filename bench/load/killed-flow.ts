import mqtt, { type MqttClient } from 'mqtt';
import { exactNow } from './plan.js';

/** Every payload begins with the message's number (32 bits) and when it was published, ms (64 bits). */
export interface Stamp {
  readonly number: number;
  readonly at: number;
}

export function stampOf(payload: Uint8Array): Stamp {
  const view = new DataView(payload.buffer, payload.byteOffset);
  return { number: view.getUint32(0), at: view.getFloat64(4) };
}

/** QoS 0 at a steady pace, until the broker is gone. */
export class KilledFlow {
  /** What a subscriber received last. */
  last: Stamp = { number: -1, at: 0 };
  readonly ended: Promise<void>;

  private constructor(
    publisher: MqttClient,
    subscriber: MqttClient,
    topic: string,
    bytes: number,
    pace: number,
  ) {
    subscriber.on('message', (_topic, payload) => {
      this.last = stampOf(payload);
    });
    let number = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < pace; i++) {
        const payload = Buffer.alloc(bytes, 'x');
        payload.writeUInt32BE(number++, 0);
        payload.writeDoubleBE(exactNow(), 4);
        publisher.publish(topic, payload);
      }
    }, 1);
    this.ended = Promise.all(
      [publisher, subscriber].map(
        (client) => new Promise<void>((resolve) => client.once('close', () => resolve())),
      ),
    ).then(() => clearInterval(timer));
  }

  /** `pace`: messages a millisecond, if the machine has the time. */
  static async start(port: number, topic: string, bytes: number, pace: number): Promise<KilledFlow> {
    const connect = () => mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 });
    const [publisher, subscriber] = await Promise.all([connect(), connect()]);
    for (const client of [publisher, subscriber]) client.on('error', () => {});
    await subscriber.subscribeAsync(topic);
    return new KilledFlow(publisher, subscriber, topic, bytes, pace);
  }
}

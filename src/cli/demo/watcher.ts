import { setTimeout as delay } from 'node:timers/promises';
import type { MqttClient } from 'mqtt';
import { topicMatcher } from '../../topics.js';
import { connectOnce } from '../connection.js';
import { entryOf, type Seen } from './ledger.js';
import { CAN_FILTER, stampOf } from './sensors.js';

const LOOK_MS = 10;
const PATIENCE_MS = 3000;

/** A subscriber of everything while the vehicle drives: what comes, and how late. */
export class Watcher {
  readonly seen: Seen[] = [];
  /** From publish to arrival, ms, of CAN frames. */
  readonly latencies: number[] = [];
  readonly #client: MqttClient;

  private constructor(client: MqttClient) {
    this.#client = client;
    const isCan = topicMatcher(CAN_FILTER);
    // As they arrive: the library holds messages of QoS 2 back.
    client.on('packetreceive', (packet) => {
      if (packet.cmd !== 'publish') return;
      const payload = packet.payload as Buffer;
      if (isCan(packet.topic)) this.latencies.push(performance.now() - stampOf(payload));
      this.seen.push({
        key: null,
        ...entryOf(packet.topic, packet.qos, payload, packet.properties?.contentType),
      });
    });
  }

  static async start(url: string): Promise<Watcher> {
    const client = await connectOnce({ url }, { clientId: 'watcher', protocolVersion: 5 });
    const watcher = new Watcher(client);
    await client.subscribeAsync('vehicle/#', { qos: 2 });
    return watcher;
  }

  /** Resolves when so many messages have come, or none has for a while. */
  async until(count: number): Promise<void> {
    for (let before = -1; this.seen.length < count && this.seen.length > before; ) {
      before = this.seen.length;
      for (let waited = 0; waited < PATIENCE_MS && this.seen.length < count; waited += LOOK_MS) {
        await delay(LOOK_MS);
      }
    }
  }

  stop(): Promise<void> {
    return this.#client.endAsync();
  }
}

/** The value below which that share of all lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

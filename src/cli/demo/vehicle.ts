import { setTimeout as delay } from 'node:timers/promises';
import type { MqttClient } from 'mqtt';
import { connectOnce } from '../connection.js';
import { entryOf, type Ledger } from './ledger.js';
import { SENSORS, type Sensor } from './sensors.js';

/** How often the sensors are looked at. */
const TICK_MS = 5;
/** Outside what streams capture. */
const BARRIER_TOPIC = 'demo/barrier';

interface Fitted {
  readonly sensor: Sensor;
  readonly client: MqttClient;
  published: number;
}

/** A simulated vehicle: every sensor a client of its own, everything that it publishes in a ledger. */
export class Vehicle {
  readonly #ledger: Ledger;
  readonly #sensors: Fitted[] = [];
  readonly #failed: (error: unknown) => void;
  /** Seconds, of all drives. */
  #driven = 0;

  private constructor(ledger: Ledger, failed: (error: unknown) => void) {
    this.#ledger = ledger;
    this.#failed = failed;
  }

  static async start(
    url: (transport: 'tcp' | 'ws') => string,
    ledger: Ledger,
    failed: (error: unknown) => void,
  ): Promise<Vehicle> {
    const vehicle = new Vehicle(ledger, failed);
    for (const sensor of SENSORS) {
      const { name, transport, protocolVersion } = sensor;
      const client = await connectOnce(
        { url: url(transport) },
        { clientId: `vehicle-${name}`, protocolVersion },
      );
      client.on('error', failed);
      vehicle.#sensors.push({ sensor, client, published: 0 });
    }
    return vehicle;
  }

  /** Drives for so long; resolves when the broker has everything. */
  async drive(seconds: number): Promise<void> {
    const begun = performance.now();
    const acknowledged: Promise<unknown>[] = [];
    for (let elapsed = 0; elapsed < seconds; ) {
      await delay(TICK_MS);
      elapsed = Math.min(seconds, (performance.now() - begun) / 1000);
      for (const fitted of this.#sensors) {
        // The sum of two drives may be a rounding error short of a whole number.
        const due = Math.floor((this.#driven + elapsed) * fitted.sensor.rate + 1e-6);
        while (fitted.published < due) acknowledged.push(this.#publish(fitted));
      }
    }
    this.#driven += seconds;
    await Promise.all(acknowledged);
    // The broker handles what comes on a connection in order: this is acknowledged after all of QoS 0 before it.
    await Promise.all(this.#sensors.map(({ client }) => client.publishAsync(BARRIER_TOPIC, '', { qos: 1 })));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#sensors.map(({ client }) => client.endAsync()));
  }

  async #publish(fitted: Fitted): Promise<void> {
    const { sensor, client } = fitted;
    const number = fitted.published++;
    const topic = sensor.topic(number);
    const qos = sensor.qos(number);
    const payload = sensor.payload(number, performance.now());
    const { contentType, retain } = sensor;
    this.#ledger.add(sensor.name, entryOf(topic, qos, payload, contentType));
    const properties = contentType === undefined ? {} : { properties: { contentType } };
    await client.publishAsync(topic, payload, { qos, retain, ...properties }).catch(this.#failed);
  }
}

/** A bridge of a started broker, seen from its clients. */
import type { TestContext } from 'node:test';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { StartedBroker } from './process.js';

export const RECONNECT = { min: '20ms', max: '100ms' };

export async function connected(
  t: TestContext,
  url: string,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0, ...options });
  client.on('error', () => {});
  t.after(() => client.end(true));
  return client;
}

/** What a client gets, and a way to wait for it. */
export class Inbox {
  readonly packets: mqtt.IPublishPacket[] = [];
  readonly #client: MqttClient;

  constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (_topic, _payload, packet) => this.packets.push(packet));
  }

  get payloads(): string[] {
    return this.packets.map(({ payload }) => payload.toString());
  }

  get topics(): string[] {
    return this.packets.map(({ topic }) => topic);
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#client.once('message', () => resolve()));
  }
}

export async function inbox(client: MqttClient, filter: string, options: object = {}): Promise<Inbox> {
  const box = new Inbox(client);
  await client.subscribeAsync(filter, { qos: 2, rap: true, ...options });
  return box;
}

export function bridge(remote: { port: number }, more: object): object {
  return { name: 'cloud', url: `mqtt://127.0.0.1:${remote.port}`, reconnect: RECONNECT, ...more };
}

export async function bridgeUp(t: TestContext, broker: StartedBroker, name = 'cloud'): Promise<void> {
  const client = await connected(t, broker.tcp);
  const state = await inbox(client, `$SYS/broker/connection/${name}/state`);
  await state.until(() => state.payloads.at(-1) === '1');
  await client.endAsync();
}

export const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${from + i}`);

export async function publishAll(
  client: MqttClient,
  topic: string,
  payloads: readonly string[],
): Promise<void> {
  await Promise.all(payloads.map((payload) => client.publishAsync(topic, payload, { qos: 1 })));
}

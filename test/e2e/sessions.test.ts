/** What lasting sessions have been promised, while the broker is killed and started again. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { IConnackPacket } from 'mqtt-packet';
import { generator } from '../catalog/generator.js';
import { type StartedBroker, startBroker } from './process.js';

const LASTING: IClientOptions = {
  protocolVersion: 5,
  clean: false,
  reconnectPeriod: 20,
  properties: { sessionExpiryInterval: 3600 },
};

/** A broker that is killed and started again behind the same address. */
class Phoenix {
  readonly #t: TestContext;
  #broker: StartedBroker;

  private constructor(t: TestContext, broker: StartedBroker) {
    this.#t = t;
    this.#broker = broker;
  }

  static async start(t: TestContext): Promise<Phoenix> {
    return new Phoenix(t, await startBroker(t, [], { config: { log: { level: 'error' } } }));
  }

  get url(): string {
    return this.#broker.tcp;
  }

  async killAndStart(): Promise<void> {
    const { folder, tcp } = this.#broker;
    await this.#broker.stop('SIGKILL');
    const port = Number(new URL(tcp).port);
    const listeners = [
      { protocol: 'tcp', port },
      { protocol: 'ws', port: 0 },
    ];
    this.#broker = await startBroker(this.#t, [], { folder, config: { listeners, log: { level: 'error' } } });
  }

  async client(clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
    const client = mqtt.connect(this.url, { ...LASTING, clientId, ...options });
    // Refused while the broker is away: it tries again.
    client.on('error', () => {});
    this.#t.after(() => client.endAsync(true));
    await new Promise((resolve) => client.once('connect', resolve));
    return client;
  }
}

function collect(client: MqttClient): string[] {
  const got: string[] = [];
  client.on('message', (_topic, payload) => got.push(payload.toString()));
  return got;
}

for (const seed of [1, 2]) {
  test(`QoS 2 comes once and QoS 1 at least once, in order, through kills of the broker; seed ${seed}`, async (t) => {
    const random = generator(seed);
    const phoenix = await Phoenix.start(t);
    const there = await Promise.all(['a', 'b', 'c'].map((id) => phoenix.client(id)));
    const got = there.map(collect);
    for (const client of there) await client.subscribeAsync('t/#', { qos: 2 });
    const away = await phoenix.client('away');
    await away.subscribeAsync('t/#', { qos: 2 });
    await away.endAsync();
    const publisher = await phoenix.client('publisher');
    const sent: { text: string; qos: 1 | 2 }[] = [];
    const acknowledged: Promise<unknown>[] = [];
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 150; i++) {
        const qos = random() < 0.5 ? 1 : 2;
        const text = `${qos} ${sent.length}`;
        sent.push({ text, qos });
        acknowledged.push(publisher.publishAsync(`t/${i % 5}`, text, { qos }));
        // Killed while much is under way.
        if (i === 149 && round < 3) {
          await acknowledged[acknowledged.length - 1 - Math.floor(random() * 100)];
          await phoenix.killAndStart();
        }
      }
    }
    await Promise.all(acknowledged);
    const back = mqtt.connect(phoenix.url, { ...LASTING, clientId: 'away' });
    t.after(() => back.endAsync(true));
    got.push(collect(back));
    const complete = () => got.every((texts) => new Set(texts).size === sent.length);
    while (!complete()) await new Promise((resolve) => setImmediate(resolve));
    for (const texts of got) {
      const twice = sent.filter(
        ({ text, qos }) => qos === 2 && texts.filter((one) => one === text).length > 1,
      );
      assert.deepEqual(twice, []);
      for (const qos of [1, 2]) {
        const mine = [...new Set(texts.filter((text) => text.startsWith(String(qos))))];
        assert.deepEqual(
          mine,
          sent.filter((one) => one.qos === qos).map(({ text }) => text),
        );
      }
    }
  });
}

test('subscriptions, retained messages, expiry and wills survive a kill', async (t) => {
  const phoenix = await Phoenix.start(t);
  const session = await phoenix.client('session');
  await session.subscribeAsync(['kept', 'gone', 'will'], { qos: 1 });
  await session.unsubscribeAsync('gone');
  await session.endAsync();
  const short = await phoenix.client('short', {
    properties: { sessionExpiryInterval: 0 },
    // It would take the session of another one below.
    reconnectPeriod: 0,
  });
  await short.subscribeAsync('kept', { qos: 1 });
  const publisher = await phoenix.client('publisher', { clean: true, properties: {} });
  const properties = {
    contentType: 'x',
    userProperties: { a: ['1', '2'] },
    correlationData: Buffer.of(0, 255),
  };
  await publisher.publishAsync('state', 'now', { qos: 1, retain: true, properties });
  await publisher.publishAsync('old', 'now', { qos: 1, retain: true });
  await publisher.publishAsync('old', '', { qos: 1, retain: true });
  const will = { topic: 'will', payload: Buffer.from('died'), qos: 1 as const };
  await phoenix.client('dying', { clean: true, properties: {}, will, reconnectPeriod: 0 });
  await phoenix.killAndStart();

  const again = mqtt.connect(phoenix.url, { ...LASTING, clientId: 'session' });
  t.after(() => again.endAsync(true));
  const got = collect(again);
  const connack = await new Promise<IConnackPacket>((resolve) => again.once('connect', resolve));
  assert.equal(connack.sessionPresent, true);
  const other = await phoenix.client('short', { reconnectPeriod: 0 });
  await publisher.publishAsync('gone', 'no', { qos: 1 });
  await publisher.publishAsync('kept', 'yes', { qos: 1 });
  while (!got.includes('yes')) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([...got].sort(), ['died', 'yes']);
  const retained: unknown[] = [];
  other.on('message', (topic, payload, packet) =>
    retained.push([topic, payload.toString(), packet.retain, packet.properties]),
  );
  const first = new Promise((resolve) => other.once('message', resolve));
  await other.subscribeAsync(['state', 'old']);
  await first;
  assert.deepEqual(
    retained.map((one) => structuredClone(one)),
    [
      [
        'state',
        'now',
        true,
        structuredClone({ ...properties, userProperties: { ...properties.userProperties } }),
      ],
    ],
  );
});

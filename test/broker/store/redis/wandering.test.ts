/** Clients that wander between instances while others publish at all of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generator } from '../../../catalog/generator.js';
import { RedisServer } from '../../../e2e/redis-server.js';
import { until } from '../../fixture.js';
import { lasting } from '../../lasting.js';
import { WireClient } from '../../wire-client.js';
import { eventually, Look, startShared } from './fixture.js';

const MESSAGES = 400;

/** Handles what comes as a client has to that keeps its state over its connections. */
class Wanderer {
  readonly got: string[] = [];
  readonly #id: string;
  /** Packet identifiers of QoS 2 messages that it has and that are not released. */
  readonly #received = new Set<number>();
  #client: WireClient | null = null;
  #over = false;
  /** Its connections were ended by coming elsewhere first. */
  readonly #reading: Promise<void>[] = [];

  constructor(id: string) {
    this.#id = id;
  }

  async come(client: WireClient): Promise<void> {
    this.#client = client;
    const connack = await client.connect(lasting(5, { clientId: this.#id }));
    assert.equal(connack.reasonCode, 0);
    this.#reading.push(this.#read(client));
  }

  subscribe(filter: string): void {
    const subscriptions = [{ topic: filter, qos: 2 as const, nl: false, rap: false, rh: 0 }];
    this.#client!.send({ cmd: 'subscribe', messageId: 1, subscriptions });
  }

  async break(): Promise<void> {
    await this.#client!.break();
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.break();
    await Promise.all(this.#reading);
  }

  async #read(client: WireClient): Promise<void> {
    for (;;) {
      const packet = await client.next().catch(() => null);
      if (packet === null || this.#over) return;
      if (packet.cmd === 'publish') {
        const { qos, messageId = 0, payload } = packet;
        if (qos === 1) client.send({ cmd: 'puback', messageId });
        if (qos === 2) client.send({ cmd: 'pubrec', messageId });
        if (qos === 2 && this.#received.has(messageId)) continue;
        if (qos === 2) this.#received.add(messageId);
        this.got.push(payload.toString());
      } else if (packet.cmd === 'pubrel') {
        this.#received.delete(packet.messageId!);
        client.send({ cmd: 'pubcomp', messageId: packet.messageId! });
      }
    }
  }
}

for (const seed of [1, 2, 3]) {
  test(`each message comes once with QoS 2 and in order, wherever a client goes; seed ${seed}`, async (t) => {
    const random = generator(seed);
    const redis = await RedisServer.start(t);
    const instances = await Promise.all(['a', 'b', 'c'].map((name) => startShared(t, redis.url, name)));
    const anywhere = () => instances[Math.floor(random() * 3)]!.port;
    const wanderers = ['w0', 'w1', 'w2', 'w3'].map((id) => new Wanderer(id));
    for (const wanderer of wanderers) {
      await wanderer.come(await WireClient.open(t, anywhere()));
      wanderer.subscribe('t/#');
    }
    await until(() => instances.every(({ broker }) => broker.router.subscriptionCount === 4));
    let publishing = true;
    const publishers = await Promise.all(
      instances.map(async ({ port }, from) => {
        const client = await WireClient.connect(t, port);
        return (async () => {
          for (let i = 0; i < MESSAGES; i++) {
            const qos = i % 3 === 0 ? 1 : 2;
            const messageId = client.newId();
            client.publish({ topic: `t/${from}`, payload: `${from} ${i}`, qos, messageId });
            if (i % 5 < 3) continue;
            // The exchanges of those before end now.
            for (let ended = false; !ended; ) {
              const packet = await client.next();
              if (packet.cmd === 'pubrec') client.send({ cmd: 'pubrel', messageId: packet.messageId! });
              ended = packet.messageId === messageId && packet.cmd !== 'pubrec';
            }
          }
        })();
      }),
    );
    const wandering = wanderers.map(async (wanderer) => {
      while (publishing) {
        if (random() < 0.5) await wanderer.break();
        if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, random() * 10));
        await wanderer.come(await WireClient.open(t, anywhere()));
      }
    });
    await Promise.all(publishers);
    publishing = false;
    await Promise.all(wandering);
    const total = 3 * MESSAGES;
    await until(() => wanderers.every(({ got }) => new Set(got).size === total));
    for (const { got } of wanderers) {
      for (let from = 0; from < 3; from++) {
        const numbers = got
          .filter((text) => text.startsWith(`${from} `))
          .map((text) => Number(text.slice(2)));
        const twos = numbers.filter((i) => i % 3 !== 0);
        assert.equal(new Set(twos).size, twos.length, 'QoS 2 came twice');
        const first = [...new Set(numbers)];
        assert.deepEqual(
          first,
          first.toSorted((x, y) => x - y),
        );
      }
    }
    const look = new Look(t, redis.url);
    await eventually(async () => !(await look.names()).some((name) => name.startsWith('q:')));
    for (const wanderer of wanderers) await wanderer.end();
    assert.deepEqual(
      instances.flatMap(({ faults }) => faults),
      [],
    );
  });
}

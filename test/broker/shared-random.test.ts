/** Members of a shared subscription come, go, read and do not read at random; what the specification promises holds. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Packet } from 'mqtt-packet';
import { generator } from '../catalog/generator.js';
import { startBroker, type TestBroker, until } from './fixture.js';
import { lasting } from './lasting.js';
import { type ConnectOptions, WireClient } from './wire-client.js';

const FILTER = '$share/g/a/#';

/** A client that acknowledges when it is told to, and remembers what it has over its connections. */
class Member {
  readonly who: ConnectOptions;
  readonly #t: TestContext;
  readonly #started: TestBroker;
  readonly #done: (payload: string, qos: number) => void;
  /** QoS 2: received and not released; of a lasting session. */
  readonly #open = new Set<number>();
  #client: WireClient | null = null;
  #unanswered: Packet[] = [];

  constructor(
    t: TestContext,
    started: TestBroker,
    who: ConnectOptions,
    done: (payload: string, qos: number) => void,
  ) {
    this.#t = t;
    this.#started = started;
    this.who = who;
    this.#done = done;
  }

  get connected(): boolean {
    return this.#client !== null;
  }

  async connect(more: ConnectOptions = {}): Promise<void> {
    const client = await WireClient.open(this.#t, this.#started.tcp.port, this.who.version);
    const { sessionPresent } = await client.connect({ ...this.who, ...more });
    if (!sessionPresent) this.#open.clear();
    this.#client = client;
  }

  async subscribe(): Promise<void> {
    // Messages of a session that goes on may come before SUBACK.
    this.#client!.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: FILTER, qos: 2 }] });
    await this.look();
  }

  async unsubscribe(): Promise<void> {
    this.#client!.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [FILTER] });
    await this.look();
  }

  async look(): Promise<void> {
    this.#unanswered.push(...(await this.#client!.sync()));
  }

  /** Answers what has come, at most so many packets. */
  answer(most: number): number {
    const packets = this.#unanswered.splice(0, most);
    for (const packet of packets) {
      const { messageId } = packet;
      if (packet.cmd === 'pubrel') {
        this.#open.delete(messageId!);
        this.#client!.send({ cmd: 'pubcomp', messageId: messageId! });
      } else if (packet.cmd === 'publish') {
        const payload = packet.payload.toString();
        if (packet.qos === 1) {
          this.#done(payload, 1);
          this.#client!.send({ cmd: 'puback', messageId: messageId! });
        } else {
          if (!this.#open.has(messageId!)) this.#done(payload, 2);
          this.#open.add(messageId!);
          this.#client!.send({ cmd: 'pubrec', messageId: messageId! });
        }
      }
    }
    return packets.length;
  }

  /** Whatever it was told last reaches the broker before. */
  async leave(): Promise<void> {
    await this.look();
    const client = this.#client!;
    this.#client = null;
    this.#unanswered = [];
    await client.break();
    const { sessions } = this.#started.broker;
    await until(() => (sessions.get(this.who.clientId!)?.outbox ?? null) === null);
  }
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`QoS 1: everything reaches somebody; QoS 2: nothing comes twice; seed ${seed}`, async (t) => {
    const random = generator(seed);
    const strategy = seed % 2 === 0 ? 'sticky' : 'round-robin';
    const started = await startBroker(t, { shareStrategy: strategy, limits: { inflight: 4 } });
    const { broker, tcp } = started;
    const seen = new Map<string, number>();
    const done = (payload: string) => {
      seen.set(payload, (seen.get(payload) ?? 0) + 1);
    };
    const clean = (i: number): ConnectOptions => ({
      clientId: `clean-${i}`,
      clean: true,
      version: i % 2 === 0 ? 4 : 5,
    });
    const members = [
      ...[0, 1].map((i) => new Member(t, started, clean(i), done)),
      ...[4, 5].map(
        (version) =>
          new Member(t, started, lasting(version as 4 | 5, { clientId: `lasting-${version}` }), done),
      ),
    ];
    const stays = new Member(t, started, { clientId: 'stays', clean: true, version: 5 }, done);
    await stays.connect();
    await stays.subscribe();
    const publisher = await WireClient.connect(t, tcp.port, { clientId: 'p' });
    const sent: string[] = [];
    for (let step = 0; step < 300; step++) {
      const member = random() < 0.2 ? stays : members[Math.floor(random() * members.length)]!;
      const what = random();
      if (what < 0.3) {
        for (let left = Math.floor(random() * 12); left > 0; left--) {
          const qos = random() < 0.6 ? 1 : 2;
          const payload = `${qos}-${sent.length}`;
          sent.push(payload);
          publisher.publish({ topic: 'a/b', payload, qos });
        }
        for (const packet of await publisher.sync()) {
          if (packet.cmd === 'pubrec') publisher.send({ cmd: 'pubrel', messageId: packet.messageId! });
        }
      } else if (!member.connected) {
        await member.connect();
        if (random() < 0.9) await member.subscribe();
        else await member.look();
      } else if (what < 0.8) {
        await member.look();
        member.answer(Math.floor(random() * 8));
      } else if (member !== stays) {
        if (what < 0.9) await member.leave();
        else if (what < 0.95) await member.unsubscribe();
        else await member.subscribe();
      }
    }
    // All that are lasting begin anew: what they had and did not acknowledge is for those who stay.
    for (const member of members) {
      if (member.connected) await member.leave();
      if (member.who.clean === true) continue;
      await member.connect({ clean: true });
      await member.leave();
    }
    const missing = () => sent.filter((payload) => payload.startsWith('1') && !seen.has(payload));
    for (let idle = 0; idle < 3; idle++) {
      await stays.look();
      if (stays.answer(1000) > 0) idle = 0;
    }
    assert.deepEqual(missing(), []);
    const twice = [...seen].filter(([payload, times]) => payload.startsWith('2') && times > 1);
    assert.deepEqual(twice, []);
    assert.ok(sent.length > 300);
    assert.equal(broker.stats.dropped, 0);
  });
}

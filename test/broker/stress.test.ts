/**
 * Fifty clients subscribe, unsubscribe and publish at random, some go away and come back. Every message that must
 * arrive arrives, none that must not does, each once, those of one publisher in their order.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPublishPacket, Packet } from 'mqtt-packet';
import { topicMatcher } from '../../src/topics.js';
import { generator } from '../catalog/generator.js';
import { FakeCapture, strictlyRising } from './fake-capture.js';
import { startBroker, until } from './fixture.js';
import { WireClient } from './wire-client.js';

type Qos = 0 | 1 | 2;
type Filters = ReadonlyMap<string, Qos>;

const CLIENTS = 50;
const ROUNDS = 10;
const TOPICS = ['a', 'a/b', 'a/b/c', 'b', 'b/c', '/a', 'a/'];
const FILTERS = [...TOPICS, '#', '+', 'a/#', 'a/+', '+/b', '+/+', 'b/#', '/+', 'a/b/+'];

interface Message {
  readonly publisher: number;
  readonly topic: string;
  readonly qos: Qos;
  /** Of its publisher. */
  readonly number: number;
}

class Member {
  readonly index: number;
  readonly lasting: boolean;
  readonly version: 4 | 5;
  filters: Filters = new Map();
  wire: WireClient | null = null;
  published = 0;

  constructor(index: number) {
    this.index = index;
    this.lasting = index % 3 === 0;
    this.version = index % 2 === 0 ? 4 : 5;
  }

  get options() {
    const properties = this.lasting ? { sessionExpiryInterval: 600 } : {};
    const { version } = this;
    return {
      clientId: `m${this.index}`,
      clean: !this.lasting,
      version,
      ...(version === 5 ? { properties } : {}),
    };
  }
}

/** The QoS that a message is delivered with; null: no subscription matches. */
function grantedQos(filters: Filters, { topic, qos }: Message): Qos | null {
  const matching = [...filters]
    .filter(([filter]) => topicMatcher(filter)(topic))
    .map(([, granted]) => granted);
  return matching.length === 0 ? null : (Math.min(qos, Math.max(...matching)) as Qos);
}

/** What a member does in one round, in one segment; the filters at each point of it. */
function script(
  member: Member,
  random: () => number,
): { packets: Packet[]; states: Filters[]; sent: Message[] } {
  const packets: Packet[] = [];
  const states: Filters[] = [member.filters];
  const sent: Message[] = [];
  const wire = member.wire!;
  for (let left = Math.floor(random() * 10); left > 0; left--) {
    const filters = new Map(states.at(-1));
    const filter = FILTERS[Math.floor(random() * FILTERS.length)];
    const qos = Math.floor(random() * 3) as Qos;
    const what = random();
    if (what < 0.15) {
      filters.set(filter, qos);
      const subscription = { topic: filter, qos, nl: false, rap: false, rh: 2 };
      packets.push({ cmd: 'subscribe', messageId: wire.newId(), subscriptions: [subscription] });
      states.push(filters);
    } else if (what < 0.25) {
      filters.delete(filter);
      packets.push({ cmd: 'unsubscribe', messageId: wire.newId(), unsubscriptions: [filter] });
      states.push(filters);
    } else {
      const topic = TOPICS[Math.floor(random() * TOPICS.length)];
      const message = { publisher: member.index, topic, qos, number: member.published++ };
      sent.push(message);
      const payload = JSON.stringify([message.publisher, message.number, states.length - 1]);
      packets.push(wire.publishPacket({ topic, payload, qos, retain: random() < 0.1 }));
    }
  }
  return { packets, states, sent };
}

/** Takes everything that has come, and finishes the exchanges of QoS 1 and 2. */
async function receive(wire: WireClient): Promise<IPublishPacket[]> {
  const got: IPublishPacket[] = [];
  for (;;) {
    const packets = await wire.sync();
    const answers: Packet[] = [];
    for (const packet of packets) {
      const { messageId } = packet;
      if (packet.cmd === 'publish') {
        // With a subscription of MQTT 3 come retained messages; they are not what this is about.
        if (!packet.retain) got.push(packet);
        if (packet.qos > 0)
          answers.push({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId: messageId! });
      } else if (packet.cmd === 'pubrel') {
        answers.push({ cmd: 'pubcomp', messageId: messageId! });
      } else if (packet.cmd === 'pubrec') {
        answers.push({ cmd: 'pubrel', messageId: messageId! });
      }
    }
    if (answers.length === 0) return got;
    wire.send(...answers);
  }
}

for (const seed of [11, 12, 13]) {
  test(`seed ${seed}`, async (t) => {
    const random = generator(seed);
    const capture = new FakeCapture();
    const { tcp, broker } = await startBroker(t, { capture, limits: { inflight: 10 } });
    const members = Array.from({ length: CLIENTS }, (_, index) => new Member(index));
    let total = 0;
    const owed = new Map<Member, Message[]>(members.map((member) => [member, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const member of members) {
        const away = random() < 0.2;
        if (member.wire !== null && away) {
          await member.wire.break();
          await until(() => broker.clients[member.options.clientId] === undefined);
          member.wire = null;
          if (!member.lasting) member.filters = new Map();
        } else if (member.wire === null && (!away || round === ROUNDS - 1)) {
          member.wire = await WireClient.connect(t, tcp.port, member.options);
        }
      }
      const here = members.filter(({ wire }) => wire !== null);
      const scripts = new Map(here.map((member) => [member, script(member, random)]));
      for (const [member, { packets }] of scripts) if (packets.length > 0) member.wire!.send(...packets);
      // A first answer of each tells that all of them have been handled.
      const received = new Map<Member, IPublishPacket[]>();
      for (const member of here) received.set(member, await receive(member.wire!));
      for (const member of here) received.get(member)!.push(...(await receive(member.wire!)));
      const sent = [...scripts.values()].flatMap((one) => one.sent);
      total += sent.length;
      for (const member of members) {
        const states = scripts.get(member)?.states ?? [member.filters];
        if (member.wire === null) {
          if (member.lasting)
            owed.get(member)!.push(...sent.filter((one) => (grantedQos(member.filters, one) ?? 0) > 0));
          continue;
        }
        const last = new Map<number, number>();
        const arrived = new Map<string, Qos>();
        for (const { topic, payload, qos } of received.get(member)!) {
          const [publisher, number, state] = JSON.parse(payload.toString()) as number[];
          const id = `${publisher}/${number}`;
          assert.ok(!arrived.has(id), `${id} once`);
          assert.ok(number > (last.get(publisher) ?? -1), `${id} in order`);
          last.set(publisher, number);
          arrived.set(id, qos as Qos);
          const isOwn = publisher === member.index;
          const known = owed.get(member)!.find((one) => `${one.publisher}/${one.number}` === id);
          const message = { publisher, number, topic, qos: known?.qos ?? 2 } as Message;
          const possible = isOwn ? [states[state]] : states;
          assert.ok(
            known !== undefined || possible.some((filters) => grantedQos(filters, message) !== null),
            `${id} on ${topic} has no subscription`,
          );
        }
        for (const message of [...owed.get(member)!.splice(0), ...sent]) {
          const id = `${message.publisher}/${message.number}`;
          const wasAway = !sent.includes(message);
          const possible = states.map((filters) => grantedQos(filters, message));
          if (wasAway) assert.ok((arrived.get(id) ?? 0) > 0, `${id} waited and came`);
          else if (message.publisher !== member.index && possible.every((qos) => qos !== null)) {
            assert.ok(arrived.has(id), `${id} must arrive at ${member.index}`);
            assert.ok(possible.includes(arrived.get(id)!), `${id} has QoS ${arrived.get(id)}`);
          }
        }
        member.filters = states.at(-1)!;
      }
    }
    assert.equal(capture.taken.length, total);
    assert.ok(strictlyRising(capture.keys));
    assert.equal(broker.stats.dropped, 0);
    for (const { wire } of members) await wire?.break();
    await until(() => broker.stats.connections === 0);
    for (const session of [...broker.sessions.all()]) broker.sessions.end(session);
    assert.equal(broker.router.subscriptionCount, 0);
    assert.equal(broker.sessions.count, 0);
  });
}

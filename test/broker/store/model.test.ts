/** Random changes, hostile names and restarts: the store says what a model in memory says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClassicLevel } from 'classic-level';
import { level } from '../../../src/broker/store/database.js';
import type { LevelPersistence } from '../../../src/broker/store/level-persistence.js';
import { generator } from '../../catalog/generator.js';
import { queueOf, reopenable, sessionsOf } from './fixture.js';
import { message } from './message.js';

/** Names that look like keys, are parts of each other, or are as long as MQTT allows. */
const NAMES = [
  ...[
    'a',
    'a\0',
    'a!',
    'a~',
    'a/b',
    '~',
    '!',
    '\0',
    ' ',
    'ü',
    '\uffff',
    '\u{1f600}',
    '__proto__',
    'constructor',
  ],
  ...['c', 'q00000000', 'q0000000000000000000001', 's00000000a', 'w', 'v', '00000000', '0000000'],
  ...['x'.repeat(65_535), 'x'.repeat(65_534), `${'x'.repeat(65_534)}y`, '/'.repeat(65_535)],
];
const OPERATIONS = 800;

interface Queued {
  text: string;
  id: number | undefined;
  released: boolean;
}

class Model {
  readonly expiry = new Map<string, number>();
  readonly subscriptions = new Map<string, Map<string, number>>();
  readonly queues = new Map<string, Map<number, Queued>>();
  readonly received = new Map<string, Set<number>>();
  readonly wills = new Map<string, string>();
  readonly retained = new Map<string, string>();

  of<K, V>(map: Map<string, Map<K, V>>, name: string): Map<K, V> {
    this.begin(name);
    if (!map.has(name)) map.set(name, new Map());
    return map.get(name)!;
  }

  begin(name: string): void {
    if (!this.expiry.has(name)) this.expiry.set(name, 0xffff_ffff);
  }

  end(name: string): void {
    for (const map of [this.expiry, this.subscriptions, this.queues, this.received, this.wills])
      map.delete(name);
  }

  messages(name: string): [number, Queued][] {
    return [...(this.queues.get(name) ?? [])]
      .filter(([, { released }]) => !released)
      .sort(([a], [b]) => a - b);
  }

  queue(name: string): string[] {
    return [...(this.queues.get(name) ?? [])]
      .sort(([a], [b]) => a - b)
      .map(
        ([, { text, id, released }]) => `${released ? 'pubrel' : text}${id === undefined ? '' : `#${id}`}`,
      );
  }
}

type Step = (store: LevelPersistence, name: string, other: string) => Promise<unknown>;

/** All, with one that others must not run beside: how many it removes depends on when. */
function steps(model: Model, random: (below: number) => number): { all: Step[]; alone: Step } {
  let counter = 1;
  let id = 0;
  const inflight = (name: string): [number, Queued] | undefined => {
    const all = [...(model.queues.get(name) ?? [])].filter(([, one]) => one.id !== undefined);
    return all[random(all.length)];
  };
  /** A later change may have removed what an update looks for. */
  const unlessGone = (name: string, key: number, done: Promise<unknown>) =>
    done.catch((error) => {
      if (model.queues.get(name)?.has(key)) throw error;
    });
  const enqueue =
    (withId: boolean): Step =>
    (store, name, other) => {
      const key = counter++;
      const receivers = name === other || withId ? [name] : [name, other];
      const messageId = withId ? (id++ % 65_535) + 1 : undefined;
      for (const one of receivers) {
        model.of(model.queues, one).set(key, { text: `m${key}`, id: messageId, released: false });
      }
      return store.outgoingEnqueueCombi(
        receivers.map((clientId) => ({ clientId, messageId })),
        message(key, { topic: other || 'x' }),
      );
    };
  /** As a retained message comes again. */
  const again: Step = (store, name) => {
    const waiting = model.messages(name);
    const [key] = waiting[random(waiting.length)] ?? [];
    return key === undefined ? Promise.resolve() : store.outgoingEnqueue({ clientId: name }, message(key));
  };
  const acknowledge: Step = (store, name) => {
    const found = inflight(name);
    if (found === undefined) return Promise.resolve();
    model.queues.get(name)!.delete(found[0]);
    const client = { id: name };
    const packet = { messageId: found[1].id! };
    return random(2) === 0
      ? store.outgoingAcknowledge(client, packet)
      : store.outgoingClearMessageId(client, packet);
  };
  const identify: Step = (store, name) => {
    const waiting = model.messages(name).filter(([, one]) => one.id === undefined);
    const [key, one] = waiting[random(waiting.length)] ?? [];
    if (key === undefined)
      return assert.rejects(store.outgoingUpdate({ id: name }, { brokerCounter: 0, messageId: 65_535 }));
    one!.id = (id++ % 65_535) + 1;
    return unlessGone(
      name,
      key,
      store.outgoingUpdate({ id: name }, { brokerCounter: key, messageId: one!.id }),
    );
  };
  const release: Step = (store, name) => {
    const found = inflight(name);
    if (found === undefined) return Promise.resolve();
    found[1].released = true;
    return unlessGone(
      name,
      found[0],
      store.outgoingUpdate({ id: name }, { cmd: 'pubrel', messageId: found[1].id! }),
    );
  };
  const trim: Step = async (store, name) => {
    const messages = model.messages(name);
    const to = random(8);
    const gone = messages.slice(0, Math.max(0, messages.length - to));
    for (const [key] of gone) model.queues.get(name)!.delete(key);
    assert.equal(await store.trim(name, to, Number.MAX_SAFE_INTEGER), gone.length);
  };
  const session: Step = (store, name) => {
    const expiryInterval = random(2 ** 31);
    model.expiry.set(name, expiryInterval);
    return store.putSession({ clientId: name, user: null, expiryInterval, disconnectedAt: null });
  };
  const end: Step = (store, name) => {
    model.end(name);
    return store.endSession(name);
  };
  const subscribe: Step = (store, name, other) => {
    const qos = random(3) as 0 | 1 | 2;
    model.of(model.subscriptions, name).set(other, qos);
    return store.addSubscriptions({ id: name }, [{ topic: other, qos }]);
  };
  const unsubscribe: Step = (store, name, other) => {
    if (random(4) === 0) {
      model.subscriptions.get(name)?.clear();
      return store.cleanSubscriptions({ id: name });
    }
    model.subscriptions.get(name)?.delete(other);
    return store.removeSubscriptions({ id: name }, [other]);
  };
  const receive: Step = (store, name) => {
    model.begin(name);
    const messageId = random(3) + 1;
    const known = model.received.get(name) ?? new Set();
    model.received.set(name, known);
    if (known.delete(messageId)) return store.incomingDelPacket({ id: name }, { messageId });
    known.add(messageId);
    return store.incomingStorePacket({ id: name }, { ...message(1), messageId });
  };
  const will: Step = (store, name, other) => {
    if (model.wills.delete(name)) return store.delWill({ id: name });
    model.wills.set(name, other);
    return store.putWill({ id: name }, { topic: other, payload: Buffer.from('w'), qos: 0, retain: false });
  };
  const retain: Step = (store, name) => {
    const text = random(3) === 0 ? '' : `r${random(1000)}`;
    if (text === '') model.retained.delete(name);
    else model.retained.set(name, text);
    return store.storeRetained(message(1, { topic: name, payload: Buffer.from(text) }));
  };
  const all = [
    ...[
      enqueue(false),
      enqueue(false),
      enqueue(true),
      enqueue(true),
      again,
      acknowledge,
      identify,
      release,
      trim,
    ],
    ...[session, end, subscribe, subscribe, unsubscribe, receive, will, retain],
  ];
  return { all, alone: trim };
}

async function compare(store: LevelPersistence, model: Model): Promise<void> {
  const sessions = await sessionsOf(store);
  assert.deepEqual(sessions.map(({ clientId }) => clientId).sort(), [...model.expiry.keys()].sort());
  for (const { clientId, expiryInterval, subscriptions, queued } of sessions) {
    assert.equal(expiryInterval, model.expiry.get(clientId));
    assert.deepEqual(
      new Map(subscriptions.map(({ topic, qos }) => [topic, qos])),
      model.subscriptions.get(clientId) ?? new Map(),
    );
    const messages = model.messages(clientId);
    const bytes = messages.reduce((sum, [, { text }]) => sum + text.length, 0);
    assert.deepEqual(queued, { messages: messages.length, bytes });
    assert.deepEqual(await queueOf(store, clientId), model.queue(clientId));
    for (const messageId of [1, 2, 3]) {
      const got = store.incomingGetPacket({ id: clientId }, { messageId });
      if (model.received.get(clientId)?.has(messageId)) assert.equal((await got).messageId, messageId);
      else await assert.rejects(got, { message: 'no such packet' });
    }
  }
  const wills = await store.streamWill().toArray();
  assert.deepEqual(new Map(wills.map(({ clientId, topic }) => [clientId, topic])), model.wills);
  const retained = new Map<string, string>();
  for await (const { topic, payload } of store.retained()) retained.set(topic, String(payload));
  assert.deepEqual(retained, model.retained);
}

for (const seed of [1, 2, 3]) {
  test(`${OPERATIONS} random changes with seed ${seed}`, async (t) => {
    const next = generator(seed);
    const random = (below: number) => Math.floor(next() * below);
    let database: ClassicLevel<string, Buffer>;
    const world = await reopenable(t, {
      database: (folder) => {
        database = level(folder) as typeof database;
        return database;
      },
    });
    const model = new Model();
    const { all, alone } = steps(model, random);
    // Few names, so that changes meet; other ones with each seed.
    const names = Array.from({ length: 7 }, () => NAMES[random(NAMES.length)]!);
    const name = () => names[random(names.length)]!;
    let going: Promise<unknown>[] = [];
    for (let i = 1; i <= OPERATIONS; i++) {
      const step = all[random(all.length)]!;
      if (step === alone) await Promise.all(going);
      const done = step(world.store, name(), name());
      // Some changes go into one batch, some follow each other, some are written when the next one comes.
      if (step === alone || random(3) > 0) await done;
      else if (random(2) === 0) await new Promise(setImmediate);
      going.push(done);
      if (i % 20 !== 0) continue;
      await Promise.all(going);
      going = [];
      await compare(world.store, model);
      if (i % 100 === 0) await compare(await world.reopen(), model);
    }
    for (const client of NAMES) void world.store.endSession(client);
    for (const topic of NAMES)
      void world.store.storeRetained(message(1, { topic, payload: Buffer.alloc(0) }));
    await world.store.written();
    await compare(await world.reopen(), new Model());
    // Messages of ended sessions are removed behind.
    let left: string[];
    do {
      await new Promise(setImmediate);
      left = await database!.keys().all();
    } while (left.some((key) => /^[gq]/.test(key)));
    assert.deepEqual(left, ['v']);
  });
}

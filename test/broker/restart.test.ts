/** What becomes of sessions and wills that a process before has left in the store. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LevelPersistence } from '../../src/broker/store/level-persistence.js';
import type { StoredWill } from '../../src/broker/store/store.js';
import { memoryStore, startBroker, until } from './fixture.js';
import { messages, WireClient } from './wire-client.js';

const NEVER = 0xffff_ffff;
const NOW = 1_795_000_000_000;
const wall = () => NOW;

/** `away`: for so many seconds; null: it was connected when the process ended. */
function session(
  store: LevelPersistence,
  clientId: string,
  expiryInterval: number,
  away: number | null,
): void {
  const disconnectedAt = away === null ? null : NOW - away * 1000;
  void store.putSession({ clientId, user: null, expiryInterval, disconnectedAt });
  void store.addSubscriptions({ id: clientId }, [{ topic: clientId, qos: 1 }]);
}

function will(store: LevelPersistence, clientId: string, delay = 0): void {
  const packet: StoredWill = {
    cmd: 'publish',
    topic: 'will',
    payload: Buffer.from(clientId),
    qos: 1,
    retain: false,
    dup: false,
    user: null,
    delay,
  };
  void store.putWill({ id: clientId }, packet);
}

test('a session lasts as long as it was to, whether the broker was there or not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const store = await memoryStore();
  session(store, 'over', 60, 60);
  session(store, 'left', 60, 59);
  session(store, 'connected', 60, null);
  session(store, 'ever', NEVER, 1_000_000);
  session(store, 'ended', 0, null);
  // The wall clock was an hour ahead: it does not make the session last longer than it may.
  session(store, 'ahead', 60, -3600);
  const { broker } = await startBroker(t, { store, wall });
  const there = () => [...broker.sessions.all()].map(({ clientId }) => clientId).sort();
  assert.deepEqual(there(), ['ahead', 'connected', 'ever', 'left']);
  assert.equal(broker.router.subscriptionCount, 4);
  t.mock.timers.tick(1000);
  assert.deepEqual(there(), ['ahead', 'connected', 'ever']);
  t.mock.timers.tick(59_000);
  assert.deepEqual(there(), ['ever']);
  assert.equal(broker.router.subscriptionCount, 1);
  await store.written();
  const stored: string[] = [];
  for await (const { clientId } of store.sessions()) stored.push(clientId);
  assert.deepEqual(stored, ['ever']);
});

test('a will of the process before is published at the start, or after its delay if nobody comes back', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const store = await memoryStore();
  session(store, 'watcher', NEVER, 0);
  void store.addSubscriptions({ id: 'watcher' }, [{ topic: 'will', qos: 1 }]);
  will(store, 'clean');
  will(store, 'clean-delayed', 30);
  session(store, 'late', 600, null);
  will(store, 'late', 30);
  session(store, 'back', 600, null);
  will(store, 'back', 30);
  session(store, 'short', 20, null);
  will(store, 'short', 30);
  const { broker, tcp } = await startBroker(t, { store, wall });
  const lasting = { clean: false, properties: { sessionExpiryInterval: NEVER } };
  const watcher = await WireClient.connect(t, tcp.port, { clientId: 'watcher', ...lasting });
  const next = async () => {
    const packet = await watcher.nextPublish();
    watcher.send({ cmd: 'puback', messageId: packet.messageId! });
    return packet.payload.toString();
  };
  // A session that does not last has ended with the process, and the delay with it.
  assert.deepEqual([await next(), await next()].sort(), ['clean', 'clean-delayed']);
  await WireClient.connect(t, tcp.port, { clientId: 'back', ...lasting });
  t.mock.timers.tick(20_000);
  assert.equal(await next(), 'short', 'its session is over');
  assert.deepEqual(messages(await watcher.sync()), []);
  t.mock.timers.tick(10_000);
  assert.equal(await next(), 'late');
  assert.deepEqual(messages(await watcher.sync()), []);
  await until(() => broker.sessions.get('watcher')!.backlog.messages === 0);
  await store.written();
  for (const id of ['clean', 'clean-delayed', 'late', 'short', 'back']) {
    assert.equal(await store.getWill({ id }), undefined, id);
  }
});

test('an identifier received before is a repetition, until it is released', async (t) => {
  const store = await memoryStore();
  session(store, 'c', NEVER, null);
  const packet = {
    cmd: 'publish',
    topic: '',
    payload: Buffer.alloc(0),
    qos: 2,
    retain: false,
    dup: false,
  } as const;
  void store.incomingStorePacket({ id: 'c' }, { ...packet, messageId: 7 });
  const { broker, tcp } = await startBroker(t, { store });
  const client = await WireClient.connect(t, tcp.port, { clientId: 'c', version: 4, clean: false });
  client.publish({ topic: 'a', payload: 'again', qos: 2, messageId: 7, dup: true });
  client.send({ cmd: 'pubrel', messageId: 7 });
  client.publish({ topic: 'a', payload: 'new', qos: 2, messageId: 7 });
  const answers = await client.sync();
  assert.deepEqual(
    answers.map(({ cmd }) => cmd),
    ['pubrec', 'pubcomp', 'pubrec'],
  );
  assert.equal(broker.stats.received, 2);
  assert.deepEqual([...store.received({ id: 'c' })], [7]);
});

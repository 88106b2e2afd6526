/** One batch a turn, and what happens if it cannot be written. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { LevelPersistence } from '../../../src/broker/store/level-persistence.js';
import { FakeDatabase } from './fake-database.js';
import { opened, queuedOf, queueOf } from './fixture.js';
import { message } from './message.js';

async function started(t: TestContext, sync = false) {
  const database = new FakeDatabase();
  const faults: Error[] = [];
  const store = await opened({ sync, database: () => database, onFault: (error) => faults.push(error) });
  t.after(() => store.destroy());
  await store.putSession({ clientId: 'c', user: null, expiryInterval: 1, disconnectedAt: null });
  database.batches.length = 0;
  return { database, store, faults };
}

function enqueue(store: LevelPersistence, counter: number): Promise<void> {
  return store.outgoingEnqueueCombi([{ clientId: 'c', messageId: counter }], message(counter));
}

const queued = (counter: number) => `q00000000${counter.toString(16).padStart(14, '0')}`;
const inflight = (counter: number) => `m00000000${counter.toString(16).padStart(14, '0')}`;
const COUNTS = 'n00000000';

test('all changes of a turn are one batch with one promise, with the counts', async (t) => {
  const { database, store } = await started(t);
  const done = [enqueue(store, 1), enqueue(store, 2), store.written()];
  assert.equal(new Set(done).size, 1);
  await done[0];
  assert.deepEqual(database.batches, [[COUNTS, queued(1), inflight(1), queued(2), inflight(2)]]);
  assert.deepEqual(database.syncs, [false, false, false]);
});

test('while a batch is written the next one fills', async (t) => {
  const { database, store } = await started(t);
  let open = () => {};
  database.gate = new Promise((resolve) => {
    open = resolve;
  });
  const first = enqueue(store, 1);
  await new Promise(setImmediate);
  assert.equal(database.batches.length, 1);
  const second = enqueue(store, 2);
  await new Promise(setImmediate);
  const third = enqueue(store, 3);
  assert.equal(second, third);
  assert.deepEqual(await queueOf(store, 'c'), ['m1#1', 'm2#2', 'm3#3'], 'all of it is there to read');
  assert.equal(database.rows.has(queued(1)), false);
  open();
  await first;
  assert.equal(database.rows.has(queued(2)), false);
  await third;
  assert.deepEqual(database.batches.slice(1), [[COUNTS, queued(2), inflight(2), queued(3), inflight(3)]]);
});

test('what is put and deleted in one batch is not written', async (t) => {
  const { database, store } = await started(t);
  const put = enqueue(store, 1);
  void store.outgoingAcknowledge({ id: 'c' }, { messageId: 1 });
  await put;
  assert.deepEqual(database.batches, []);
  void enqueue(store, 2);
  void enqueue(store, 3);
  await store.outgoingAcknowledge({ id: 'c' }, { messageId: 2 });
  assert.deepEqual(database.batches, [[COUNTS, queued(3), inflight(3)]]);
  await store.outgoingAcknowledge({ id: 'c' }, { messageId: 3 });
  assert.deepEqual(database.batches[1], [`-${queued(3)}`, `-${inflight(3)}`, COUNTS]);
});

test('each batch is synced where that is wanted', async (t) => {
  const { database, store } = await started(t, true);
  await enqueue(store, 1);
  assert.ok(database.syncs.length > 0 && database.syncs.every((sync) => sync));
});

test('a batch that cannot be written is reported once, read all the same, and written with the next', async (t) => {
  const { database, store, faults } = await started(t);
  await enqueue(store, 1);
  const cause = new Error('no space left on device');
  database.writeFault = cause;
  const failed = [
    enqueue(store, 2),
    enqueue(store, 3),
    store.outgoingAcknowledge({ id: 'c' }, { messageId: 1 }),
  ];
  for (const one of failed) await assert.rejects(one, { code: 'STORE_WRITE_FAILED', cause });
  assert.equal(faults.length, 1);
  assert.match(faults[0]!.message, /no space left on device/);
  assert.deepEqual(await queueOf(store, 'c'), ['m2#2', 'm3#3']);

  // LevelDB's log may end in half a record: what is written behind that cannot be read.
  assert.equal(database.opened, 1);
  await assert.rejects(store.outgoingAcknowledge({ id: 'c' }, { messageId: 3 }), {
    code: 'STORE_WRITE_FAILED',
  });
  assert.equal(faults.length, 2);
  assert.equal(database.opened, 2);
  database.writeFault = null;
  await enqueue(store, 4);
  assert.equal(database.opened, 3);
  assert.deepEqual(
    [...database.rows.keys()].filter((key) => key.startsWith('q')),
    [queued(2), queued(4)],
  );
  assert.deepEqual(await queuedOf(store, 'c'), { messages: 2, bytes: 4 });
  await enqueue(store, 5);
  assert.deepEqual([database.opened, faults.length], [3, 2]);
});

test('a batch that failed and is followed by nothing is written when somebody waits for it, or at the end', async (t) => {
  for (const end of ['written', 'destroy'] as const) {
    const database = new FakeDatabase();
    const store = await opened({ database: () => database, onFault: () => {} });
    database.writeFault = new Error('no space left on device');
    await assert.rejects(store.outgoingEnqueue({ clientId: 'c' }, message(1)));
    database.writeFault = null;
    await store[end]();
    assert.ok(database.rows.has(queued(1)));
    if (end === 'written') t.after(() => store.destroy());
  }
});

test('what is put after the end is reported, and opens nothing again', async () => {
  const database = new FakeDatabase();
  const faults: Error[] = [];
  const store = await opened({ database: () => database, onFault: (error) => faults.push(error) });
  await store.destroy();
  await assert.rejects(store.destroy(), /closed already/);
  await assert.rejects(store.outgoingEnqueue({ clientId: 'c' }, message(1)), /it is closed/);
  assert.deepEqual([faults.length, database.opened], [1, 1]);
});

test('what cannot be read rejects', async (t) => {
  const { database, store } = await started(t);
  await enqueue(store, 1);
  await store.outgoingEnqueue({ clientId: 'c' }, message(2));
  await store.incomingStorePacket({ id: 'c' }, { ...message(3), messageId: 1 });
  const client = { id: 'c' };
  const reads = () => [
    store.outgoingStream(client).toArray(),
    store.createRetainedStream('#').toArray(),
    store.incomingGetPacket(client, { messageId: 1 }),
    store.outgoingClearMessageId(client, { messageId: 1 }),
    store.outgoingUpdate(client, { brokerCounter: 2, messageId: 2 }),
    store.trim('c', 0, 0),
    // Put again with an old key: whether it is there already cannot be told.
    store.outgoingEnqueueCombi([{ clientId: 'c', messageId: 7 }], message(1)),
    store.outgoingUpdate(client, { brokerCounter: 1, messageId: 7 }),
  ];
  database.readFault = new Error('Corruption: bad block');
  for (const read of reads()) await assert.rejects(read, { code: 'STORE_UNUSABLE', message: /bad block/ });
  await store.outgoingAcknowledge(client, { messageId: 7 });
  database.readFault = null;
  database.rows.set(queued(1), Buffer.from([0, 255]));
  await assert.rejects(store.outgoingStream(client).toArray(), { code: 'STORE_UNUSABLE' });
  await assert.rejects(store.trim('c', 0, 0), { code: 'STORE_UNUSABLE' });
  await store.outgoingUpdate(client, { brokerCounter: 2, messageId: 2 });
  assert.deepEqual(await queuedOf(store, 'c'), { messages: 2, bytes: 4 });
});

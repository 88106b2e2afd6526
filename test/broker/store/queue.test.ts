/** Queues of sessions: order, identifiers, counts, trimming. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queuedOf, queueOf, reopenable } from './fixture.js';
import { message } from './message.js';

const c = { id: 'c' };

test('messages come by key, whenever and by whatever broker they were put', async (t) => {
  const world = await reopenable(t);
  const large = 2 ** 53 - 1;
  for (const counter of [large - 1, 3, 2 ** 32, 255, 256])
    await world.store.outgoingEnqueue({ clientId: 'c' }, message(counter, { brokerId: `z${counter}` }));
  const next = await world.reopen();
  void next.outgoingEnqueueCombi([{ clientId: 'c' }, { clientId: 'd' }], message(large, { brokerId: 'a' }));
  assert.deepEqual(await queueOf(next, 'c'), [
    'm3',
    'm255',
    'm256',
    `m${2 ** 32}`,
    `m${large - 1}`,
    `m${large}`,
  ]);
  assert.deepEqual(await queueOf(next, 'd'), [`m${large}`]);
  assert.deepEqual(await queueOf(next, 'nobody'), []);
});

test('identifiers survive: given with the message, by an update, and of a release', async (t) => {
  const world = await reopenable(t);
  const { store } = world;
  void store.outgoingEnqueueCombi([{ clientId: 'c', messageId: 1 }], message(10, { qos: 2 }));
  for (const counter of [11, 12, 13]) void store.outgoingEnqueue({ clientId: 'c' }, message(counter));
  void store.outgoingUpdate(c, { brokerCounter: 12, messageId: 65_535 });
  await store.outgoingUpdate(c, { cmd: 'pubrel', messageId: 1 });
  const expected = ['pubrel#1', 'm11', 'm12#65535', 'm13'];
  assert.deepEqual(await queueOf(store, 'c'), expected);
  assert.deepEqual(await queuedOf(store, 'c'), { messages: 3, bytes: 9 }, 'a release is no message');

  const next = await world.reopen();
  assert.deepEqual(await queueOf(next, 'c'), expected);
  assert.deepEqual(await queuedOf(next, 'c'), { messages: 3, bytes: 9 });
  await next.outgoingUpdate(c, { cmd: 'pubrel', messageId: 1 });
  assert.deepEqual(await next.outgoingClearMessageId(c, { messageId: 1 }), { cmd: 'pubrel', messageId: 1 });
  const cleared = await next.outgoingClearMessageId(c, { messageId: 65_535 });
  assert.equal(cleared?.cmd === 'publish' && String(cleared.payload), 'm12');
  assert.equal(await next.outgoingClearMessageId(c, { messageId: 65_535 }), undefined);
  assert.deepEqual(await queueOf(await world.reopen(), 'c'), ['m11', 'm13']);
});

test('an identifier can be given again, and another one to the same message', async (t) => {
  const { store } = await reopenable(t);
  for (const counter of [1, 2]) void store.outgoingEnqueue({ clientId: 'c' }, message(counter));
  await store.outgoingUpdate(c, { brokerCounter: 1, messageId: 5 });
  await store.outgoingUpdate(c, { brokerCounter: 1, messageId: 6 });
  await store.outgoingAcknowledge(c, { messageId: 5 });
  assert.deepEqual(await queueOf(store, 'c'), ['m1#6', 'm2']);
  await store.outgoingAcknowledge(c, { messageId: 6 });
  await store.outgoingUpdate(c, { brokerCounter: 2, messageId: 6 });
  assert.deepEqual(await queueOf(store, 'c'), ['m2#6']);
  await store.outgoingUpdate(c, { cmd: 'pubrel', messageId: 6 });
  await assert.rejects(store.outgoingUpdate(c, { brokerCounter: 2, messageId: 7 }), /no such packet/);
  assert.deepEqual(await queueOf(store, 'c'), ['pubrel#6']);
});

test('what is not there cannot be updated, and gets no identifier', async (t) => {
  const { store } = await reopenable(t);
  const absent = { message: 'no such packet' };
  await assert.rejects(store.outgoingUpdate(c, { brokerCounter: 1, messageId: 1 }), absent);
  await store.outgoingEnqueue({ clientId: 'c' }, message(2));
  await assert.rejects(store.outgoingUpdate(c, { brokerCounter: 1, messageId: 1 }), absent);
  await assert.rejects(store.outgoingUpdate(c, { cmd: 'pubrel', messageId: 1 }), absent);
  await store.outgoingAcknowledge(c, { messageId: 1 });
  assert.deepEqual(await queuedOf(store, 'c'), { messages: 1, bytes: 2 });
});

test('an acknowledgement may come before the identifier is known to be good', async (t) => {
  const world = await reopenable(t);
  for (const counter of [1, 2, 3]) await world.store.outgoingEnqueue({ clientId: 'c' }, message(counter));
  const store = await world.reopen();
  await Promise.all([
    store.outgoingUpdate(c, { brokerCounter: 1, messageId: 1 }),
    store.outgoingAcknowledge(c, { messageId: 1 }),
    store.outgoingUpdate(c, { brokerCounter: 2, messageId: 2 }),
    store.outgoingUpdate(c, { cmd: 'pubrel', messageId: 2 }),
    store.outgoingClearMessageId(c, { messageId: 2 }),
    assert.rejects(store.outgoingUpdate(c, { brokerCounter: 9, messageId: 9 })),
    store.outgoingAcknowledge(c, { messageId: 9 }),
  ]);
  assert.deepEqual(await queueOf(store, 'c'), ['m3']);
  assert.deepEqual(await queuedOf(await world.reopen(), 'c'), { messages: 1, bytes: 2 });
});

test('a message that is put again replaces the first and counts once', async (t) => {
  const world = await reopenable(t);
  await world.store.outgoingEnqueue({ clientId: 'c' }, message(5));
  await world.store.outgoingEnqueue({ clientId: 'c' }, message(9));
  const store = await world.reopen();
  const again = message(5, { payload: Buffer.from('longer') });
  await Promise.all([
    store.outgoingEnqueueCombi([{ clientId: 'c' }, { clientId: 'new' }], again),
    store.outgoingEnqueueCombi([{ clientId: 'c', messageId: 3 }], again),
    store.outgoingEnqueue({ clientId: 'c' }, message(4)),
    store.outgoingEnqueue({ clientId: 'c' }, message(4)),
  ]);
  assert.deepEqual(await queueOf(store, 'c'), ['m4', 'longer#3', 'm9']);
  assert.deepEqual(await queuedOf(store, 'c'), { messages: 3, bytes: 10 });
  assert.deepEqual(await queueOf(store, 'new'), ['longer']);
});

test('a message that is put again may be identified, released and acknowledged at once', async (t) => {
  const world = await reopenable(t);
  for (const counter of [1, 5, 9]) await world.store.outgoingEnqueue({ clientId: 'c' }, message(counter));
  const store = await world.reopen();
  const again = (counter: number, messageId?: number) =>
    store.outgoingEnqueueCombi(
      [{ clientId: 'c', ...(messageId === undefined ? {} : { messageId }) }],
      message(counter),
    );
  await Promise.all([
    again(1, 11),
    store.outgoingAcknowledge(c, { messageId: 11 }),
    again(4),
    store.outgoingUpdate(c, { brokerCounter: 4, messageId: 14, bytes: 2 }),
    store.outgoingUpdate(c, { cmd: 'pubrel', messageId: 14 }),
    again(5, 15),
    again(5),
    store.outgoingUpdate(c, { brokerCounter: 5, messageId: 16 }),
    again(6),
    store.outgoingUpdate(c, { brokerCounter: 6, messageId: 17 }),
    store.outgoingClearMessageId(c, { messageId: 17 }),
  ]);
  const expected = ['pubrel#14', 'm5#16', 'm9'];
  assert.deepEqual(await queueOf(store, 'c'), expected);
  assert.deepEqual(await queuedOf(store, 'c'), { messages: 2, bytes: 4 });
  assert.deepEqual(await queueOf(await world.reopen(), 'c'), expected);
});

test('trimming takes the oldest, as many as it must, and their identifiers', async (t) => {
  const world = await reopenable(t);
  for (let counter = 10; counter < 20; counter++) {
    void world.store.outgoingEnqueueCombi([{ clientId: 'c', messageId: counter }], message(counter));
  }
  await world.store.outgoingUpdate(c, { cmd: 'pubrel', messageId: 10 });
  assert.equal(await world.store.trim('c', 9, 27), 0);
  const store = await world.reopen();
  assert.equal(await store.trim('c', 7, 1000), 2);
  assert.deepEqual((await queueOf(store, 'c')).slice(0, 2), ['pubrel#10', 'm13#13']);
  await store.outgoingAcknowledge(c, { messageId: 11 });
  assert.deepEqual(await queuedOf(store, 'c'), { messages: 7, bytes: 21 });
  assert.equal(await store.trim('c', 100, 8), 5);
  assert.deepEqual(await queueOf(store, 'c'), ['pubrel#10', 'm18#18', 'm19#19']);
  assert.equal(await store.trim('c', 0, 0), 2);
  assert.equal(await store.trim('nobody', 0, 0), 0);
  assert.deepEqual(await queuedOf(await world.reopen(), 'c'), { messages: 0, bytes: 0 });
});

test('what is acknowledged while a queue is trimmed is not counted twice', async (t) => {
  const { store } = await reopenable(t);
  for (let counter = 1; counter <= 9; counter++) {
    void store.outgoingEnqueueCombi([{ clientId: 'c', messageId: counter }], message(counter));
  }
  const trimmed = store.trim('c', 3, 1000);
  await Promise.resolve();
  for (const messageId of [1, 2, 9]) void store.outgoingAcknowledge(c, { messageId });
  assert.equal(await trimmed, 3);
  assert.deepEqual(await queueOf(store, 'c'), ['m6#6', 'm7#7', 'm8#8']);
  assert.deepEqual(await queuedOf(store, 'c'), { messages: 3, bytes: 6 });
});

test('a queue that is read shows what it held when the first message was asked for', async (t) => {
  const { store } = await reopenable(t);
  for (let counter = 1; counter <= 4; counter++) {
    void store.outgoingEnqueueCombi([{ clientId: 'c', messageId: counter }], message(counter));
  }
  await store.written();
  void store.outgoingAcknowledge(c, { messageId: 1 });
  void store.outgoingEnqueue({ clientId: 'c' }, message(5));
  const seen: unknown[] = [];
  for await (const { messageId } of store.outgoingStream(c)) {
    if (seen.length === 0) {
      void store.outgoingAcknowledge(c, { messageId: 3 });
      void store.outgoingEnqueue({ clientId: 'c' }, message(6));
      await store.written();
    }
    seen.push(messageId);
  }
  assert.deepEqual(seen, [2, 3, 4, undefined]);
});

/** Sessions from one start to the next. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeDatabase } from './fake-database.js';
import { opened, queuedOf, queueOf, reopenable, sessionsOf } from './fixture.js';
import { message } from './message.js';

const NEVER = 0xffff_ffff;

test('a session is listed with its end, subscriptions and what is queued', async (t) => {
  const world = await reopenable(t);
  const { store } = world;
  const options = { qos: 2, nl: true, rap: true, rh: 2, subscriptionIdentifier: 268_435_455 } as const;
  void store.putSession({ clientId: 'a', user: null, expiryInterval: 60, disconnectedAt: null });
  void store.addSubscriptions({ id: 'a' }, [
    { topic: 'x/#', ...options },
    { topic: '$share/g/+', qos: 0 },
  ]);
  void store.putSession({
    clientId: 'a',
    user: 'ü/+\0',
    expiryInterval: 3600,
    disconnectedAt: 1_795_424_302_844,
  });
  void store.putSession({ clientId: 'b', user: '', expiryInterval: NEVER, disconnectedAt: 0 });
  for (const counter of [1, 22, 333]) void store.outgoingEnqueue({ clientId: 'a' }, message(counter));
  const expected = [
    {
      clientId: 'a',
      user: 'ü/+\0',
      expiryInterval: 3600,
      disconnectedAt: 1_795_424_302_844,
      subscriptions: [
        { topic: 'x/#', ...options },
        { topic: '$share/g/+', qos: 0, nl: false, rap: false, rh: 0 },
      ],
      queued: { messages: 3, bytes: 9 },
    },
    {
      clientId: 'b',
      user: '',
      expiryInterval: NEVER,
      disconnectedAt: 0,
      subscriptions: [],
      queued: { messages: 0, bytes: 0 },
    },
  ];
  assert.deepEqual(await sessionsOf(store), expected);
  expected[0]!.subscriptions.reverse();
  assert.deepEqual(await sessionsOf(await world.reopen()), expected, 'subscriptions by filter');
});

test('whoever has something stored has a session, which does not expire', async (t) => {
  const { store } = await reopenable(t);
  void store.addSubscriptions({ id: 'a' }, [{ topic: 'x', qos: 1 }]);
  void store.outgoingEnqueue({ clientId: 'b' }, message(1));
  void store.incomingStorePacket({ id: 'c' }, { ...message(2), messageId: 1 });
  assert.deepEqual(
    (await sessionsOf(store)).map(({ clientId, expiryInterval, disconnectedAt }) => [
      clientId,
      expiryInterval,
      disconnectedAt,
    ]),
    ['a', 'b', 'c'].map((clientId) => [clientId, NEVER, null]),
  );
});

test('of a session that ended nothing is left, and a new one of the client begins empty', async (t) => {
  const world = await reopenable(t);
  const fill = async (clientId: string) => {
    const { store } = world;
    const client = { id: clientId };
    void store.putSession({ clientId, user: null, expiryInterval: 5, disconnectedAt: null });
    void store.addSubscriptions(client, [{ topic: 'x', qos: 1 }]);
    for (const counter of [1, 2, 3]) {
      void store.outgoingEnqueueCombi([{ clientId, messageId: counter }], message(counter));
    }
    void store.incomingStorePacket(client, { ...message(4), messageId: 1 });
    await store.putWill(client, { topic: 'w', payload: Buffer.from('w'), qos: 0, retain: false });
  };
  await fill('ends');
  await fill('stays');
  const store = await world.reopen();
  void store.endSession('nobody');
  await store.endSession('ends');
  await store.outgoingEnqueue({ clientId: 'ends' }, message(9));
  for (const moment of ['at once', 'after a restart']) {
    const now = moment === 'at once' ? store : await world.reopen();
    const client = { id: 'ends' };
    assert.deepEqual(await queueOf(now, 'ends'), ['m9'], moment);
    assert.deepEqual(await queuedOf(now, 'ends'), { messages: 1, bytes: 2 }, moment);
    assert.deepEqual(await now.subscriptionsByClient(client), [], moment);
    assert.equal(await now.getWill(client), undefined, moment);
    await assert.rejects(now.incomingGetPacket(client, { messageId: 1 }), { message: 'no such packet' });
    assert.deepEqual(await queueOf(now, 'stays'), ['m1#1', 'm2#2', 'm3#3'], moment);
    assert.notEqual(await now.getWill({ id: 'stays' }), undefined, moment);
    assert.deepEqual(
      (await now.subscriptionsByTopic('x')).map(({ clientId }) => clientId),
      ['stays'],
    );
  }
});

test('a session that ends while something is looked up in it', async (t) => {
  const world = await reopenable(t);
  for (const counter of [1, 2]) await world.store.outgoingEnqueue({ clientId: 'c' }, message(counter));
  const store = await world.reopen();
  const absent = assert.rejects(store.outgoingUpdate({ id: 'c' }, { brokerCounter: 1, messageId: 1 }), {
    message: 'no such packet',
  });
  const replaced = store.outgoingEnqueue({ clientId: 'c' }, message(2));
  const trimmed = store.trim('c', 0, 0);
  await store.endSession('c');
  await Promise.all([absent, replaced]);
  assert.equal(await trimmed, 0);
  assert.deepEqual(await sessionsOf(await world.reopen()), []);
});

test('messages of an ended session are removed behind, and after the next start if there is no time', async () => {
  const database = new FakeDatabase();
  const faults: Error[] = [];
  const open = () => opened({ database: () => database, onFault: (error) => faults.push(error) });
  const left = (kinds: RegExp) => [...database.rows.keys()].filter((key) => kinds.test(key)).length;
  const first = await open();
  for (let counter = 1; counter <= 2500; counter++) {
    void first.outgoingEnqueueCombi([{ clientId: 'ends' }, { clientId: 'stays' }], message(counter));
  }
  await first.written();
  await first.endSession('ends');
  await first.destroy();
  assert.equal(left(/^g/), 1);
  assert.ok(left(/^q00000000/) > 0);
  assert.equal(left(/^[cn]00000000/), 0);

  const second = await open();
  assert.deepEqual(await queueOf(second, 'ends'), []);
  while (left(/^g/) > 0) await new Promise(setImmediate);
  assert.equal(left(/^q00000000/), 0);
  assert.equal((await queueOf(second, 'stays')).length, 2500);

  await second.written();
  database.readFault = new Error('Corruption: bad block');
  await second.endSession('stays');
  while (faults.length === 0) await new Promise(setImmediate);
  assert.deepEqual(
    faults.map((fault) => (fault as { code?: string }).code),
    ['STORE_UNUSABLE'],
  );
  await second.destroy();
});

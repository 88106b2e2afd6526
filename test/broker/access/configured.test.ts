import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Credentials, Identity, Verdict } from '../../../src/broker/access/access.js';
import { Rules } from '../../../src/broker/access/rules.js';
import { allow, Bench, link } from './bench.js';
import { credentials } from './credentials.js';

const TRANSFER = 'mqtt-stream-transfer';
const WRONG: Verdict = { allowed: false, reason: 0x86 };

test('the first link that knows the client decides, and those after it are not asked', async () => {
  const yes: Verdict = { allowed: true, user: 'ada' };
  const cases: [(Verdict | null | Error)[], Verdict, number][] = [
    [[yes, WRONG], yes, 1],
    [[WRONG, yes], WRONG, 1],
    [[null, yes, WRONG], yes, 2],
    [[null, { allowed: false, reason: 0x88 }, yes], { allowed: false, reason: 0x88 }, 2],
    [[null, null], WRONG, 2],
    [[], WRONG, 0],
    [[null, new Error('broken'), yes], { allowed: false, reason: 0x88 }, 2],
  ];
  for (const [answers, expected, count] of cases) {
    const asked: Credentials[] = [];
    const bench = new Bench(answers.map((answer) => link(answer, asked)));
    const access = await bench.open();
    const given = credentials({ user: 'x', password: 'y' });
    assert.deepEqual(await access.authenticate(given), expected);
    assert.equal(asked.length, count);
    assert.ok(asked.every((one) => one === given));
    assert.equal(bench.log.lines.length, answers.some((answer) => answer instanceof Error) ? 1 : 0);
  }
});

test('who is refused waits and is counted by address; who gets in, or cannot be asked about, is not', async () => {
  const answers: (Verdict | null)[] = [];
  const bench = new Bench([{ authenticate: async () => answers.shift() ?? null }]);
  const access = await bench.open();
  answers.push(WRONG, { allowed: true, user: 'a' }, { allowed: false, reason: 0x88 }, WRONG);
  for (let i = 0; i < 4; i++) await access.authenticate(credentials());
  assert.deepEqual(bench.delayed, [50, 100]);
  assert.equal(bench.failures.of('10.0.0.1'), 2);
});

test('the transfer client is the one inside; nobody becomes it by calling itself so', async () => {
  const embedded = { clientId: `${TRANSFER}-1`, user: TRANSFER, local: true, address: null, inside: true };
  for (const chain of [null, [link({ allowed: true, user: 'anybody' })], [link(null)]]) {
    const access = await new Bench(chain).open();
    assert.deepEqual(await access.authenticate(credentials(embedded)), { allowed: true, user: TRANSFER });
    assert.equal(access.isTransferClient(embedded), true);
    assert.equal(access.mayPublish(embedded, 'ParquetFile/r/f/0'), true);
    assert.equal(access.mayPublish(embedded, '$SYS/x'), false);
    assert.equal(access.maySubscribe(embedded, '$STREAM/transfer'), true);
    assert.equal(access.mayReceive(embedded, '$STREAM/transfer'), true);
    const other = { ...embedded, inside: false };
    const verdict = await access.authenticate(credentials(other));
    assert.equal(verdict.allowed, false);
    assert.equal(access.isTransferClient(other), false);
    assert.equal(access.mayPublish(other, 'ParquetFile/r/f/0'), false);
    // Nor can anybody drive it out by its client id, who may be somebody else.
    const impostor = credentials({ ...other, user: 'anybody' });
    assert.equal((await access.authenticate(impostor)).allowed, false);
  }
});

test('another transfer client is one that is authenticated as it and has a rule', async () => {
  const who: Identity = { clientId: 'x', user: TRANSFER, address: '10.0.0.1', local: false, inside: false };
  const chain = [link({ allowed: true, user: TRANSFER })];
  const without = await new Bench(chain, [allow('vehicle/#')]).open();
  assert.equal(without.isTransferClient(who), false);
  assert.equal(without.mayPublish(who, 'ParquetFile/r/f/0'), false);
  const access = await new Bench(chain, [allow('ParquetFile/#')]).open();
  assert.equal(access.isTransferClient(who), true);
  assert.equal(access.mayPublish(who, 'ParquetFile/r/f/0'), true);
  assert.equal(access.isTransferClient({ ...who, user: 'ada' }), false);
  assert.equal(access.isTransferClient({ ...who, user: null }), false);
  assert.equal(access.mayPublish({ ...who, user: 'ada' }, 'ParquetFile/r/f/0'), false);
});

const ADA: Identity = { clientId: 'c', user: 'ada', address: null, local: true, inside: false };

test('history needs the right to subscribe, and the messages of a replay the right to their history', async () => {
  const rules = [
    allow('both/#', { action: ['subscribe', 'history'] }),
    allow('live/#', { action: ['subscribe'] }),
    allow('past/#', { action: ['history'] }),
  ];
  const access = await new Bench([], rules).open();
  assert.equal(access.mayReadHistory(ADA, 'both/#'), true);
  assert.equal(access.mayReadHistory(ADA, 'live/x'), false);
  assert.equal(access.mayReadHistory(ADA, 'past/x'), false);
  assert.equal(access.mayReadHistory(ADA, '#'), false);
  assert.equal(access.maySubscribe(ADA, 'MQfile/#'), true);
  assert.equal(access.mayReceive(ADA, 'MQfile/r1/123/both/x'), true);
  for (const topic of [
    'MQfile/r1/123/live/x',
    'MQfile/r1/123/past/x',
    'MQfile/r1/123',
    'MQfile/r1',
    'MQfile/',
  ]) {
    assert.equal(access.mayReceive(ADA, topic), false, topic);
  }
  assert.equal(access.mayReceive(ADA, 'live/x'), true);
});

test('a shared subscription is one to its filter', async () => {
  const access = await new Bench([], [allow('a/#')]).open();
  assert.equal(access.maySubscribe(ADA, '$share/g/a/+'), true);
  for (const filter of ['$share/g/b', '$share/g/#', '$share/a/#', '$share/a', '$share/']) {
    assert.equal(access.maySubscribe(ADA, filter), false, filter);
  }
});

test('a reload takes effect at once and as a whole, or not at all', async () => {
  const bench = new Bench([link({ allowed: true, user: 'ada' })], [allow('a/#')]);
  const access = await bench.open();
  const reload = async () => (await access.renew())();
  let changes = 0;
  access.onChange(() => {
    changes++;
  });
  assert.equal(access.mayPublish(ADA, 'a/b'), true);
  bench.state = new Error('unreadable');
  await assert.rejects(reload(), /unreadable/);
  assert.equal(changes, 0);
  assert.equal(access.mayPublish(ADA, 'a/b'), true);
  assert.equal((await access.authenticate(credentials())).allowed, true);

  bench.state = { chain: [link(null)], rules: new Rules([allow('b/#')], 'deny') };
  await reload();
  assert.equal(changes, 1);
  assert.equal(access.mayPublish(ADA, 'a/b'), false);
  assert.equal(access.mayPublish(ADA, 'b/b'), true);
  assert.equal((await access.authenticate(credentials())).allowed, false);
});

/** Requests, files and the transfer client where not everybody may do everything. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { MqttClient } from 'mqtt';
import { passwordHashText } from '../../src/broker/access/password-hash.js';
import { cheapHash } from '../broker/access/credentials.js';
import { configOf, connected, publishMany, received, started, temporaryFolder } from './app-fixture.js';

const USERS = ['root', 'ada', 'bob', 'mqtt-stream-transfer'];
const HASHES = await Promise.all(USERS.map((user) => cheapHash(`${user}-password`)));

const RULES = [
  { permit: 'allow', user: 'root', action: 'all', topic: '#' },
  { permit: 'deny', user: 'ada', action: 'history', topic: 'vehicle/secret' },
  { permit: 'allow', user: 'ada', action: ['subscribe', 'history'], topic: 'vehicle/#' },
  { permit: 'allow', user: 'ada', action: ['publish', 'subscribe'], topic: 'answers/ada' },
  { permit: 'allow', user: 'bob', action: ['publish', 'subscribe'], topic: 'vehicle/#' },
] as const;

async function rig(t: TestContext, rules: readonly object[] = RULES, more: object = {}) {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'users');
  const lines = USERS.map((user, i) => `${user}:${passwordHashText(HASHES[i])}\n`);
  await writeFile(file, lines.join(''), { mode: 0o600 });
  const config = configOf(join(folder, 'data'), {
    authentication: [{ type: 'password', file }],
    acl: { rules: rules as never },
    ...more,
  });
  const { app, url } = await started(t, config);
  const login = (user: string, options: object = {}) =>
    connected(t, url, { username: user, password: `${user}-password`, ...options });
  return { app, url, file, login };
}

interface Answer {
  readonly ok: boolean;
  readonly error?: { readonly code: string };
  readonly messages?: { readonly count: number };
  readonly files?: { readonly rows: number; readonly topic: string }[];
  readonly restricted?: boolean;
}

let requests = 0;

/** Asks, and collects the messages that the client gets for it. */
async function ask(
  client: MqttClient,
  verb: string,
  more: object = {},
): Promise<{ answer: Answer; topics: string[] }> {
  const id = `r${++requests}`;
  await client.subscribeAsync([`$STREAM/result/${id}`, `MQfile/${id}/#`], { qos: 1 });
  const topics: string[] = [];
  const take = (topic: string) => {
    if (topic.startsWith(`MQfile/${id}/`)) topics.push(topic.split('/').slice(3).join('/'));
  };
  client.on('message', take);
  const result = received(client, `$STREAM/result/${id}`, 1);
  await client.publishAsync(`$STREAM/${verb}`, JSON.stringify({ id, stream: 'vehicle', ...more }), {
    qos: 1,
  });
  const [{ payload }] = await result;
  client.off('message', take);
  return { answer: JSON.parse(payload.toString()), topics };
}

async function filled(t: TestContext, rules?: readonly object[]) {
  const started = await rig(t, rules);
  const { app } = started;
  const publish = async () => {
    for (const topic of ['vehicle/open', 'vehicle/secret', 'vehicle/open'])
      await app.publish({ topic, payload: 'x' });
  };
  await publish();
  await app.request('flush', { id: 'flush', stream: 'vehicle' });
  await publish();
  return started;
}

const OPEN = ['vehicle/open', 'vehicle/open', 'vehicle/open', 'vehicle/open'];

test('who may read a whole stream gets its files; the transfer client works by itself', async (t) => {
  const { app, login } = await filled(t);
  const root = await login('root');
  await root.subscribeAsync('ParquetFile/#', { qos: 1 });
  const end = new Promise<string>((resolve) =>
    root.on('message', (topic) => topic.endsWith('/fin') && resolve(topic)),
  );
  const { answer, topics } = await ask(root, 'search');
  assert.deepEqual(
    [answer.ok, answer.files!.map(({ rows }) => rows), answer.restricted],
    [true, [3], undefined],
  );
  assert.deepEqual(topics, ['vehicle/open', 'vehicle/secret', 'vehicle/open']);
  assert.equal(await end, `${answer.files![0].topic}/fin`);
  assert.equal(app.transfers.outstanding, 0);
});

test('who may read a part of it gets that part by message, of the files, too, and learns that there may be more', async (t) => {
  const { login } = await filled(t);
  const ada = await login('ada');
  for (const verb of ['search', 'replay']) {
    const { answer, topics } = await ask(ada, verb);
    assert.deepEqual([answer.ok, answer.files, answer.restricted], [true, [], true], verb);
    assert.deepEqual(topics, OPEN);
    assert.equal(answer.messages!.count, 4);
    const part = await ask(ada, verb, { topic: 'vehicle/open' });
    assert.deepEqual([part.answer.restricted, part.topics], [undefined, OPEN]);
    const limited = await ask(ada, verb, { limit: 3 });
    assert.equal(limited.topics.length, 3);
    const secret = await ask(ada, verb, { topic: 'vehicle/secret' });
    assert.deepEqual([secret.answer.messages!.count, secret.answer.restricted, secret.topics], [0, true, []]);
  }
  const { answer } = await ask(ada, 'files');
  assert.deepEqual([answer.ok, answer.error!.code], [false, 'REQUEST_DENIED']);
});

test('who may subscribe and has no right to the history gets none of it', async (t) => {
  const { login } = await filled(t);
  const bob = await login('bob');
  for (const verb of ['search', 'replay']) {
    const { answer, topics } = await ask(bob, verb);
    assert.deepEqual([answer.messages!.count, answer.files, answer.restricted, topics], [0, [], true, []]);
  }
});

test('of what somebody else replays a client gets what it may read itself', async (t) => {
  const { login } = await filled(t);
  const [root, ada, bob] = [await login('root'), await login('ada'), await login('bob')];
  const seen = { ada: [] as string[], bob: [] as string[] };
  ada.on('message', (topic) => seen.ada.push(topic.split('/').slice(3).join('/')));
  bob.on('message', (topic) => seen.bob.push(topic));
  for (const client of [ada, bob]) await client.subscribeAsync('MQfile/#', { qos: 1 });
  const { topics } = await ask(root, 'replay');
  assert.equal(topics.length, 6);
  // What was sent before a SUBACK comes before it.
  for (const client of [ada, bob]) await client.subscribeAsync('vehicle/none', { qos: 0 });
  assert.deepEqual(seen, { ada: OPEN, bob: [] });
});

test('an answer goes to no topic that its client could not publish to itself', async (t) => {
  const { login } = await rig(t);
  const [root, ada] = [await login('root'), await login('ada')];
  await root.subscribeAsync(['answers/#', 'vehicle/#'], { qos: 1 });
  const first = received(root, '', 1);
  for (const [i, responseTopic] of ['vehicle/answer', 'answers/ada'].entries()) {
    const request = JSON.stringify({ id: `a${i}`, stream: 'vehicle' });
    await ada.publishAsync('$STREAM/flush', request, { qos: 1, properties: { responseTopic } });
  }
  assert.equal((await first)[0].topic, 'answers/ada');
});

test('a request may be denied as any publish', async (t) => {
  const noReplay = { permit: 'deny', action: 'publish', topic: '$STREAM/replay' };
  const { login } = await rig(t, [noReplay, ...RULES]);
  const ada = await login('ada');
  await assert.rejects(ada.publishAsync('$STREAM/replay', '{}', { qos: 1 }), { code: 0x87 });
  assert.equal((await ask(ada, 'search')).answer.ok, true);
});

test('another transfer client needs its password and a rule', async (t) => {
  const transfer = 'mqtt-stream-transfer';
  const without = await rig(t);
  const refused = await without.login(transfer);
  await assert.rejects(refused.publishAsync('ParquetFile/r/f/0', 'x', { qos: 1 }), { code: 0x87 });
  await assert.rejects(connected(t, without.url, { username: transfer, password: 'x' }), { code: 0x86 });
  const rule = { permit: 'allow', user: transfer, action: ['publish', 'subscribe'], topic: 'ParquetFile/#' };
  const { app, login } = await rig(t, [rule, ...RULES], { transfer: { embedded: false } });
  const client = await login(transfer);
  await client.subscribeAsync('$STREAM/transfer', { qos: 1 });
  const order = received(client, '$STREAM/transfer', 1);
  await publishMany(app, 'x', 3);
  await app.request('flush', { id: 'f', stream: 'vehicle' });
  await app.request('search', { id: 's', stream: 'vehicle' });
  const { files } = JSON.parse((await order)[0].payload.toString());
  await client.publishAsync(`ParquetFile/s/${files[0].name}/fin`, '{}', { qos: 1 });
  assert.equal(app.transfers.outstanding, 0);
});

test('a reload takes rights of those who are connected', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'acl.yaml');
  const write = (rules: readonly object[]) => writeFile(file, JSON.stringify({ rules }));
  await write([RULES[0], RULES[4]]);
  const { app, login } = await rig(t, [], { acl: { file } });
  const bob = await login('bob');
  await bob.publishAsync('vehicle/x', 'x', { qos: 1 });
  await write([RULES[0]]);
  await app.reload();
  await assert.rejects(bob.publishAsync('vehicle/x', 'x', { qos: 1 }), { code: 0x87 });
  await writeFile(file, 'rules: [');
  await assert.rejects(app.reload(), { code: 'CONFIG_INVALID', message: /acl\.yaml:1/ });
  await assert.rejects(bob.publishAsync('vehicle/x', 'x', { qos: 1 }), { code: 0x87 });
});

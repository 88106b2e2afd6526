import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { MqttStreamError } from '../../src/errors.js';
import { topicFault } from '../../src/topics.js';
import { Asking } from './asking.js';

const FINE = { id: 'r1', stream: 'vehicle' };

test('an answer says how many files of its ranges are not loaded yet, and is right with those that are', async () => {
  const asking = await Asking.make();
  const { catalog, stream } = asking.world;
  asking.world.publishMany(3);
  let loading = 5;
  const asked: object[] = [];
  catalog.loading = (name, ranges) => {
    asked.push([name, ranges]);
    return loading;
  };
  const ranges = [{ start: 10, end: 20 }];
  for (const verb of ['files', 'search', 'replay']) {
    const result = await asking.ask(verb, { ...FINE, time: 'key', ranges });
    assert.deepEqual([result.ok, result.loading], [true, { files: 5 }], verb);
  }
  assert.deepEqual(asked, Array(3).fill([stream.name, ranges]));
  loading = 0;
  for (const verb of ['files', 'search', 'replay']) {
    const result = await asking.ask(verb, FINE);
    assert.equal(result.ok, true);
    assert.ok(!('loading' in result), verb);
  }
  assert.equal(asking.sent.length, 6);
});

test('whatever is wrong with a request, its result says so by a code', async () => {
  const asking = await Asking.make();
  const cases: [string, unknown, string, string][] = [
    ['search', '', 'REQUEST_NOT_JSON', 'client-1'],
    ['search', '{"id": "r1"', 'REQUEST_NOT_JSON', 'client-1'],
    ['search', '[]', 'REQUEST_NOT_JSON', 'client-1'],
    ['search', 'null', 'REQUEST_NOT_JSON', 'client-1'],
    ['search', new Uint8Array([123, 34, 255, 34, 125]), 'REQUEST_NOT_JSON', 'client-1'],
    ['search', ' '.repeat(300_000), 'REQUEST_NOT_JSON', 'client-1'],
    ['search', {}, 'REQUEST_BAD_ID', 'client-1'],
    ['search', { id: 5, stream: 'vehicle' }, 'REQUEST_BAD_ID', 'client-1'],
    ['search', { id: 'a/b', stream: 'vehicle' }, 'REQUEST_BAD_ID', 'client-1'],
    ['search', { id: '#', stream: 'vehicle' }, 'REQUEST_BAD_ID', 'client-1'],
    ['search', { id: 'x'.repeat(65), stream: 'vehicle' }, 'REQUEST_BAD_ID', 'client-1'],
    ['search', { id: 'r1' }, 'REQUEST_INVALID', 'r1'],
    ['search', { ...FINE, rate: 1 }, 'REQUEST_INVALID', 'r1'],
    ['search', { ...FINE, nonsense: 1 }, 'REQUEST_INVALID', 'r1'],
    ['search', '{"id":"r1","stream":"vehicle","__proto__":{}}', 'REQUEST_INVALID', 'r1'],
    ['search', { ...FINE, topic: 'a/#/b' }, 'REQUEST_INVALID', 'r1'],
    ['search', { ...FINE, limit: 0 }, 'REQUEST_INVALID', 'r1'],
    ['replay', { ...FINE, rate: -1 }, 'REQUEST_INVALID', 'r1'],
    ['flush', { ...FINE, ranges: [{}] }, 'REQUEST_INVALID', 'r1'],
    ['files', { ...FINE, topic: 'a' }, 'REQUEST_INVALID', 'r1'],
    ['search', { ...FINE, ranges: [] }, 'REQUEST_BAD_RANGE', 'r1'],
    ['search', { ...FINE, ranges: [{ start: 5, end: 4 }] }, 'REQUEST_BAD_RANGE', 'r1'],
    ['search', { ...FINE, ranges: [{ start: 'yesterday' }] }, 'REQUEST_BAD_RANGE', 'r1'],
    ['search', { ...FINE, ranges: [{ start: 1.5 }] }, 'REQUEST_BAD_RANGE', 'r1'],
    ['files', { ...FINE, ranges: Array(1001).fill({}) }, 'REQUEST_BAD_RANGE', 'r1'],
    ['search', { ...FINE, stream: 'other' }, 'STREAM_NOT_FOUND', 'r1'],
    ['flush', { ...FINE, stream: '__proto__' }, 'STREAM_NOT_FOUND', 'r1'],
    ['serach', FINE, 'REQUEST_UNKNOWN', 'r1'],
    ['', FINE, 'REQUEST_UNKNOWN', 'r1'],
    ['result/r1', FINE, 'REQUEST_UNKNOWN', 'r1'],
    ['transfer', 'nothing', 'REQUEST_UNKNOWN', 'client-1'],
    ['constructor', {}, 'REQUEST_UNKNOWN', 'client-1'],
  ];
  for (const [verb, payload, code, name] of cases) {
    const result = await asking.ask(verb, payload);
    const what = `${verb} ${String(JSON.stringify(payload)).slice(0, 60)}`;
    assert.equal(result.error?.code, code, what);
    const { message } = result.error!;
    assert.ok(message.length > 10 && message.length < 1000, what);
    assert.deepEqual(result, {
      id: name === 'r1' ? 'r1' : null,
      op: verb,
      ok: false,
      error: { code, message },
    });
    const reply = asking.replies.pop()!;
    assert.equal(reply.name, name, what);
    assert.equal(reply.result, result);
    assert.equal(asking.replies.length, 0);
  }
  assert.equal(asking.requests.running, 0);
  assert.deepEqual(asking.sent, []);
});

test('a client without a usable id is answered where it can listen, whatever it calls itself', async () => {
  const asking = await Asking.make();
  const answeredOn = async (clientId: string) => {
    await asking.ask('search', '{}', clientId);
    const { name } = asking.replies.pop()!;
    assert.equal(topicFault(`$STREAM/result/${name}`), null);
    return name;
  };
  assert.equal(await answeredOn('car 1/left'), 'car 1/left');
  assert.equal(await answeredOn('a+b#c\u0000d'), 'a_b_c_d');
  assert.equal(await answeredOn('#'), '_');
  assert.equal(await answeredOn(''), '_');
  assert.equal(await answeredOn('__proto__'), '__proto__');
  for (const longest of ['x', '+', '日', '\ufffd']) await answeredOn(longest.repeat(65_535));
});

test('an id that is busy, and the limit of requests', async () => {
  const asking = await Asking.make();
  const resolves: (() => void)[] = [];
  asking.flush = () => new Promise((resolve) => resolves.push(() => resolve(null)));
  const first = asking.ask('flush', { id: 'a', stream: 'vehicle' });
  assert.equal((await asking.ask('flush', { id: 'a', stream: 'vehicle' })).error?.code, 'REQUEST_ID_BUSY');
  assert.equal((await asking.ask('search', { id: 'a', stream: 'vehicle' })).error?.code, 'REQUEST_ID_BUSY');
  const others = ['b', 'c'].map((id) => asking.ask('flush', { id, stream: 'vehicle' }));
  assert.equal(asking.requests.running, 3);
  const refused = await asking.ask('flush', { id: 'd', stream: 'vehicle' });
  assert.equal(refused.error?.code, 'REQUEST_LIMIT');
  assert.match(refused.error!.message, /: 3 are being answered/);
  for (const resolve of resolves) resolve();
  for (const result of await Promise.all([first, ...others])) assert.equal(result.ok, true);
  assert.equal(asking.requests.running, 0);
  asking.flush = async () => null;
  assert.equal((await asking.ask('flush', { id: 'a', stream: 'vehicle' })).ok, true);
});

test('a request that fails lets its id go', async () => {
  const asking = await Asking.make();
  asking.flush = async () => {
    throw new TypeError('x is not a function');
  };
  for (let i = 0; i < 5; i++) {
    const result = await asking.ask('flush', FINE);
    assert.equal(result.error?.code, 'INTERNAL');
    assert.match(result.error!.message, /x is not a function/);
  }
});

test('flush: answered with its file, with none if there was nothing, and with FLUSH_FAILED', async () => {
  const asking = await Asking.make();
  assert.deepEqual(await asking.ask('flush', FINE), {
    id: 'r1',
    op: 'flush',
    ok: true,
    stream: 'vehicle',
    files: [],
  });
  const { world } = asking;
  world.publishMany(3);
  asking.flush = async () => {
    world.commit();
    return world.catalog.files('vehicle')[0]!;
  };
  const { name } = { name: '1000~1002_1.parquet' };
  const sha256 = '1'.padStart(64, '0');
  assert.deepEqual(await asking.ask('flush', FINE), {
    id: 'r1',
    op: 'flush',
    ok: true,
    stream: 'vehicle',
    files: [{ name, bytes: 100, sha256, rows: 3, firstKey: 1000, lastKey: 1002 }],
  });
  asking.flush = async () => {
    throw new MqttStreamError('FLUSH_FAILED', ['vehicle', 'ENOSPC']);
  };
  const failed = await asking.ask('flush', FINE);
  assert.deepEqual([failed.ok, failed.error?.code], [false, 'FLUSH_FAILED']);
});

test('files: the list, of all times or of ranges, kept until their checksums are known', async () => {
  const asking = await Asking.make();
  const { world } = asking;
  for (let i = 0; i < 3; i++) {
    world.publishMany(2);
    world.commit();
  }
  world.publishMany(2);
  world.stream.gaps.insert({ start: 1002, end: 1003, messages: 4, reason: 'dropped' });
  const all = await asking.ask('files', FINE);
  assert.deepEqual(
    all.files!.map((file) => (file as { firstKey: number }).firstKey),
    [1000, 1002, 1004],
  );
  assert.deepEqual(all.gaps, [{ start: 1002, end: 1003, messages: 4, reason: 'dropped' }]);
  const resolves: (() => void)[] = [];
  asking.hash = () => new Promise((resolve) => resolves.push(() => resolve('f'.repeat(64))));
  const some = asking.ask('files', { ...FINE, ranges: [{ start: 1004, end: 1004 }, { end: 1001 }] });
  await world.catalog.retain('vehicle', { maxBytes: 0, maxFiles: 0, maxAge: 1 }, 1e15);
  assert.equal(world.folder.unlinked.length, 1);
  for (const resolve of resolves) resolve();
  const result = await some;
  assert.deepEqual(
    result.files!.map((file) => Object.keys(file).join()),
    Array(2).fill('name,bytes,sha256,rows,firstKey,lastKey'),
  );
  assert.deepEqual(result.gaps, []);
  await world.catalog.idle();
  assert.equal(world.folder.unlinked.length, 3);
});

test('stopping: what is being answered ends with SHUTTING_DOWN, whatever it waits for; what comes is refused', async () => {
  const asking = await Asking.make({ limit: 100 });
  const { world } = asking;
  world.publishMany(20);
  asking.busy = () => new Promise(() => {});
  asking.flush = () => new Promise(() => {});
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  const running = [
    asking.ask('flush', { id: 'flush', stream: 'vehicle' }),
    ...Array.from({ length: 30 }, (_, i) =>
      asking.ask(i % 2 ? 'replay' : 'search', { id: `${i}`, stream: 'vehicle' }),
    ),
  ];
  await turn();
  assert.equal(asking.sent.length, 30);
  const closing = asking.requests.close();
  for (const result of await Promise.all(running)) {
    assert.deepEqual([result.ok, result.error?.code], [false, 'SHUTTING_DOWN']);
  }
  await closing;
  assert.equal((await asking.ask('files', FINE)).error?.code, 'SHUTTING_DOWN');
  assert.equal(asking.replies.length, 32);
  await turn();
  process.off('warning', warned);
  assert.deepEqual(warnings, []);
});

test('a client that asks too often is answered, and nothing is done for it', async () => {
  const asking = await Asking.make();
  asking.flush = () => assert.fail('flushed');
  const result = await asking.ask('flush', { id: 'often', stream: 'vehicle' }, 'client-1', false);
  assert.equal(result.error?.code, 'REQUEST_LIMIT');
  assert.match(result.error.message, /requestsPerSecond/);
  assert.deepEqual(
    asking.replies.map(({ name }) => name),
    ['often'],
  );
});

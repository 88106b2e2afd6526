import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { FileEntry } from '../../src/catalog/entry.js';
import { Clock } from '../../src/clock/clock.js';
import { generator } from '../catalog/generator.js';
import { FakeTime, HOUR, SECOND } from '../clock/machine.js';
import { pick, whole } from '../ring/samples.js';
import { Asking } from './asking.js';
import { keysOf, World } from './world.js';

interface FileAnswer {
  readonly name: string;
  readonly firstKey: number;
  readonly lastKey: number;
}

test('the result of a search is what the contract says, field by field', async () => {
  const asking = await Asking.make();
  const { world } = asking;
  world.publishMany(4, 'vehicle/a');
  world.commit();
  world.publishMany(3, 'vehicle/b');
  world.stream.gaps.insert({ start: 1001, end: 1001, messages: 1, reason: 'too-large' });
  const request = { id: 'r-1', stream: 'vehicle', ranges: [{ start: 1002, end: 1005 }], topic: 'vehicle/+' };
  const name = '1000~1003_1.parquet';
  const file = { name, bytes: 100, sha256: '1'.padStart(64, '0'), rows: 4, firstKey: 1000, lastKey: 1003 };
  assert.deepEqual(await asking.ask('search', request), {
    id: 'r-1',
    op: 'search',
    ok: true,
    stream: 'vehicle',
    messages: { count: 2, firstKey: 1004, lastKey: 1005, topic: 'MQfile/r-1' },
    files: [{ ...file, topic: `ParquetFile/r-1/${name}` }],
    gaps: [],
  });
  assert.deepEqual(
    asking.sent.map(({ topic }) => topic),
    ['MQfile/r-1/1004/vehicle/b', 'MQfile/r-1/1005/vehicle/b'],
  );
  assert.equal(asking.orders.length, 1);
  assert.deepEqual(
    asking.orders[0]!.files.map((one) => one.name),
    [name],
  );
});

test('a replay has everything as messages, and no files', async () => {
  const asking = await Asking.make();
  const { world } = asking;
  world.publishMany(4);
  world.commit();
  world.publishMany(3);
  const answer = { id: 'r1', op: 'replay', ok: true, stream: 'vehicle', files: [], gaps: [] };
  assert.deepEqual(await asking.ask('replay', { id: 'r1', stream: 'vehicle' }), {
    ...answer,
    messages: { count: 7, firstKey: 1000, lastKey: 1006, topic: 'MQfile/r1' },
  });
  assert.deepEqual(await asking.ask('replay', { id: 'r1', stream: 'vehicle', ranges: [{ end: 5 }] }), {
    ...answer,
    messages: { count: 0, firstKey: null, lastKey: null, topic: 'MQfile/r1' },
  });
  assert.deepEqual(asking.orders, []);
});

test('ranges that overlap, touch or stand in any order give every message once, in key order', async () => {
  const asking = await Asking.make();
  asking.world.publishMany(20);
  const ranges = [
    { start: 1010, end: 1012 },
    { start: 1001, end: 1003 },
    { start: 1013, end: 1014 },
    { start: 1002, end: 1005 },
  ];
  await asking.ask('search', { id: 'r', stream: 'vehicle', ranges, time: 'key' });
  assert.deepEqual(asking.sentKeys, [1001, 1002, 1003, 1004, 1005, 1010, 1011, 1012, 1013, 1014]);
});

test('a message that is published while the answer goes on is not of "now"', async () => {
  const asking = await Asking.make();
  const { world } = asking;
  world.publishMany(5);
  asking.busy = () => {
    world.publish();
    return null;
  };
  for (const verb of ['search', 'replay']) {
    asking.sent.length = 0;
    const last = world.lastKey;
    await asking.ask(verb, { id: 'r', stream: 'vehicle' });
    assert.equal(asking.sentKeys.at(-1), last);
  }
});

test('files and messages of a search hold every message exactly once, whatever is written meanwhile', async () => {
  for (let seed = 1; seed <= 120; seed++) {
    const random = generator(seed);
    const world = await World.make({ messages: whole(random, 2, 30), bytes: 8192 });
    const asking = new Asking(world);
    const reports: (() => void)[] = [];
    const act = () => {
      for (let actions = whole(random, 0, 4); actions > 0; actions--) {
        const what = random();
        if (what < 0.5) world.publish(pick(random, ['a', 'b']));
        else if (what < 0.7) world.take(whole(random, 1, 12));
        else if (what < 0.85) reports.push(world.write());
        else reports.shift()?.();
        world.exchange.admitWaiting();
      }
    };
    for (let i = whole(random, 0, 100); i > 0; i--) act();
    world.meanwhile = act;
    world.batchRows = whole(random, 1, 5);
    asking.hash = async () => {
      await turn();
      act();
      return 'f'.repeat(64);
    };
    asking.busy = () => {
      act();
      return random() < 0.3 ? turn() : null;
    };
    const start = whole(random, 999, world.lastKey + 1);
    const end = Math.max(start, whole(random, start, world.lastKey + 2));
    const wanted = [...world.messages.values()].filter(({ key }) => key >= start && key <= end);
    const topic = random() < 0.3 ? 'a' : null;
    const filesNow = world.catalog.files('vehicle', [{ start, end }]);
    const result = await asking.ask('search', {
      id: 'r',
      stream: 'vehicle',
      ranges: [{ start, end }],
      time: 'key',
      topic,
    });
    assert.equal(result.ok, true, result.error?.message);
    assert.deepEqual(
      keysOf(filesNow.map(({ firstKey: key }) => ({ key }))),
      (result.files as FileAnswer[]).map(({ firstKey }) => firstKey),
    );
    const inFiles = (key: number) =>
      filesNow.some(({ firstKey, lastKey }) => key >= firstKey && key <= lastKey);
    const asMessages = wanted.filter((one) => !inFiles(one.key) && (topic === null || one.topic === topic));
    assert.deepEqual(asking.sentKeys, keysOf(asMessages), `seed ${seed}`);
    assert.equal(result.messages!.count, asMessages.length);
    assert.deepEqual(result.gaps, []);
  }
});

test('drop-oldest: what a search can deliver no more when its turn comes is in its gaps', async () => {
  const world = await World.make({ messages: 8, whenFull: 'drop-oldest' });
  const asking = new Asking(world);
  world.publishMany(8);
  world.take(2);
  // While the first message is under way, others push most of the rest out; two of them the recorder has.
  asking.busy = () => {
    if (asking.sent.length > 1) return null;
    world.take(3);
    world.publishMany(6);
    return turn();
  };
  const search = await asking.ask('search', { id: 'r', stream: 'vehicle' });
  assert.equal(search.ok, true);
  const delivered = new Set(asking.sentKeys);
  for (let key = 1000; key < 1008; key++) {
    const gap = (search.gaps as { start: number; end: number }[]).some(
      ({ start, end }) => start <= key && end >= key,
    );
    assert.ok(delivered.has(key) || gap, `${key} is neither delivered nor in a gap`);
  }
});

test('a wall clock that steps: ranges find what was published at these times, twice if they were shown twice', async () => {
  const time = new FakeTime();
  const clock = new Clock(time, { floor: 0, base: null, corrections: [] });
  const world = await World.make({ messages: 64 });
  const asking = new Asking(world, { clock });
  const wall = new Map<number, number>();
  const publish = () => {
    const key = clock.next();
    world.jump(key);
    world.publish('t', `${time.now}`);
    wall.set(key, time.now);
  };
  const minutes = (count: number) => {
    for (let i = 0; i < count; i++) {
      publish();
      time.advance(60 * SECOND);
    }
  };
  const begin = time.now;
  minutes(5);
  time.step(-3 * 60 * SECOND);
  minutes(5);
  world.commit();
  time.step(2 * HOUR);
  minutes(5);
  const found = async (start: number, end: number, more: object = {}) => {
    asking.sent.length = 0;
    await asking.ask('replay', { id: 'r', stream: 'vehicle', ranges: [{ start, end }], ...more });
    return asking.sent.map(({ payload }) => Number(payload.toString()));
  };
  const expected = (start: number, end: number) =>
    [...wall.values()].filter((at) => at >= start && at <= end);
  const minute = 60 * SECOND;
  for (const [from, to] of [
    [0, 10],
    [2, 3],
    [3, 4],
    [100, 130],
    [8, 100],
    [-10, 1],
  ] as const) {
    const [start, end] = [begin + from * minute, begin + to * minute];
    assert.deepEqual(await found(start, end), expected(start, end), `${from} to ${to}`);
  }
  assert.deepEqual(await found(begin + 2 * minute, begin + 4 * minute).then((all) => all.length), 6);
  assert.equal((await found(0, time.now)).length, 15);
  // "-3m" is of the wall clock as it is now.
  asking.sent.length = 0;
  await asking.ask('replay', { id: 'r', stream: 'vehicle', ranges: [{ start: '-3m' }] });
  assert.equal(asking.sent.length, 3);
  const keys = [...wall.keys()];
  assert.equal((await found(keys[3]!, keys[7]!, { time: 'key' })).length, 5);
});

test('files of a search stay on disk until they are sent, those of a failed one do not', async () => {
  const asking = await Asking.make();
  const { world } = asking;
  for (let i = 0; i < 2; i++) {
    world.publishMany(2);
    world.commit();
  }
  const files: FileEntry[] = world.catalog.files('vehicle');
  asking.hash = async () => {
    await world.catalog.retain('vehicle', { maxBytes: 0, maxFiles: 0, maxAge: 1 }, 1e15);
    assert.deepEqual(world.folder.unlinked, []);
    throw new Error('unreadable');
  };
  assert.equal((await asking.ask('search', { id: 'r', stream: 'vehicle' })).ok, false);
  await world.catalog.idle();
  assert.equal(world.folder.unlinked.length, files.length);
  assert.deepEqual(asking.orders, []);
});

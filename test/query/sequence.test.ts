import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyRange } from '../../src/catalog/entry.js';
import type { Gap } from '../../src/exchange/gaps.js';
import { gapsOfAnswer } from '../../src/query/gaps.js';
import { sequence } from '../../src/query/sequence.js';
import { generator } from '../catalog/generator.js';
import { pick, whole } from '../ring/samples.js';
import { collect, corrupt, keysOf, World } from './world.js';

const END = Number.MAX_SAFE_INTEGER;

test('nothing: no files, an empty ring, a range without keys', async () => {
  const world = await World.make();
  assert.deepEqual(await collect(world.parts, 0, END), []);
  world.publishMany(3);
  assert.deepEqual(await collect(world.parts, 0, 999), []);
  assert.deepEqual(await collect(world.parts, 1003, END), []);
  assert.deepEqual(await collect(world.parts, 5, 4), []);
  world.commit();
  assert.deepEqual(await collect(world.parts, 0, 999), []);
  assert.deepEqual(await collect(world.parts, 1003, END), []);
});

test('ring only: exactly what was captured', async () => {
  const world = await World.make();
  world.publishMany(5);
  assert.deepEqual(await collect(world.parts, 0, END), [...world.messages.values()]);
  assert.deepEqual(keysOf(await collect(world.parts, 1001, 1003)), [1001, 1002, 1003]);
});

test('files only, as after a start, with huge gaps between them', async () => {
  const world = await World.make();
  for (const from of [1000, 5_000_000, 1e15]) {
    world.jump(from);
    world.publishMany(4);
    world.commit();
  }
  const restarted = await World.make();
  for (const file of world.catalog.files('vehicle')) {
    restarted.addFile(
      [...world.messages.values()].filter(({ key }) => key >= file.firstKey && key <= file.lastKey),
    );
  }
  assert.deepEqual(await collect(restarted.parts, 0, END), [...world.messages.values()]);
  assert.deepEqual(
    keysOf(await collect(restarted.parts, 1002, 5_000_001)),
    [1002, 1003, 5_000_000, 5_000_001],
  );
  assert.deepEqual(keysOf(await collect(restarted.parts, 1004, 4_999_999)), []);
});

test('a message is taken from the ring while it is there, from its file afterwards', async () => {
  const world = await World.make({ messages: 8 });
  world.publishMany(8);
  world.commit();
  assert.deepEqual(keysOf(await collect(world.parts, 0, END)), keysOf(world.messages.values()));
  assert.equal(world.read.length, 0, 'the ring still has what is committed');
  world.publishMany(3);
  assert.deepEqual(keysOf(await collect(world.parts, 0, END)), keysOf(world.messages.values()));
  assert.equal(world.read.length, 1);
});

test('a topic filter, in files and ring', async () => {
  const world = await World.make({ messages: 4 });
  for (let i = 0; i < 12; i++) {
    world.publish(pick(generator(i), ['a/1', 'a/2', 'b', '$a/1']));
    if (i % 4 === 3) world.commit();
  }
  for (const filter of ['a/+', '#', 'b', 'none', '+/1']) {
    const wanted = [...world.messages.values()].filter(({ topic }) =>
      filter === '#'
        ? !topic.startsWith('$')
        : filter === '+/1'
          ? topic === 'a/1'
          : topic.startsWith(filter.replace('+', '')),
    );
    assert.deepEqual(keysOf(await collect(world.parts, 0, END, filter)), keysOf(wanted), filter);
  }
});

test('a file that turns out to be corrupt is passed over and set aside, the rest is answered', async () => {
  const world = await World.make({ messages: 4 });
  for (let i = 0; i < 6; i++) {
    world.publishMany(4);
    world.commit();
  }
  world.batchRows = 1;
  const broken = world.catalog.files('vehicle').slice(1, 5);
  for (const [i, code] of [undefined, 'ENOENT', 'Z_DATA_ERROR', 'ERR_OUT_OF_RANGE'].entries()) {
    world.faults.set(broken[i]!.path, { error: corrupt(broken[i]!.path, code), after: i === 0 ? 2 : 0 });
  }
  const found = keysOf(await collect(world.parts, 0, END));
  assert.deepEqual(found, [1000, 1001, 1002, 1003, 1004, 1005, 1020, 1021, 1022, 1023]);
  assert.deepEqual(
    world.catalog.files('vehicle').map(({ firstKey }) => firstKey),
    [1000, 1020],
  );
  assert.deepEqual(
    world.folder.renamed,
    broken.map(({ path }) => `/data/${path}`),
  );
});

test('a healthy file that the system does not open now is not set aside: the sequence fails', async () => {
  const world = await World.make({ messages: 4 });
  world.publishMany(4);
  world.commit();
  world.publishMany(4);
  const [file] = world.catalog.files('vehicle');
  world.faults.set(file!.path, { error: corrupt(file!.path, 'EMFILE'), after: 0 });
  await assert.rejects(collect(world.parts, 0, END), { code: 'TRANSFER_READ_FAILED', message: /EMFILE/ });
  assert.equal(world.catalog.files('vehicle').length, 1);
  assert.deepEqual(world.folder.renamed, []);
});

test('an error that is none of the file ends the sequence', async () => {
  const world = await World.make({ messages: 4 });
  world.publishMany(4);
  world.commit();
  world.publishMany(4);
  const [file] = world.catalog.files('vehicle');
  world.faults.set(file!.path, { error: new Error('the thread broke down'), after: 1 });
  await assert.rejects(collect(world.parts, 0, END), /the thread broke down/);
});

test('a file being read is kept, however long that takes, and no longer', async () => {
  const world = await World.make({ messages: 4 });
  world.publishMany(4);
  world.commit();
  world.publishMany(4);
  world.batchRows = 1;
  let batches = 0;
  const found = await collect(world.parts, 0, END, null, () => {
    void world.catalog.retain('vehicle', { maxBytes: 0, maxFiles: 0, maxAge: 1 }, 1e15);
    if (++batches <= 4) assert.deepEqual(world.folder.unlinked, []);
  });
  assert.equal(found.length, 8);
  await world.catalog.idle();
  assert.equal(world.folder.unlinked.length, 1);
});

test('many files: the catalogue is asked for the next one only, and not at all within the ring', async () => {
  const world = await World.make({ messages: 4 });
  world.publishMany(1);
  const [message] = world.messages.values();
  for (let key = 1; key < 900; key++) world.addFile([{ ...message!, key }]);
  world.catalog.files = () => assert.fail('a list of files');
  let asked = 0;
  const { first } = world.catalog;
  world.catalog.first = (...parameters) => {
    asked++;
    return first.apply(world.catalog, parameters);
  };
  assert.equal((await collect(world.parts, 0, END)).length, 900);
  assert.equal(asked, 900);
});

test('the event loop has its turns, also where nothing matches', async () => {
  const world = await World.make({ messages: 8192, bytes: 4 * 1024 * 1024 });
  world.publishMany(8000);
  let turns = 0;
  const count = () => {
    turns++;
    if (turns < 20) setImmediate(count);
  };
  setImmediate(count);
  assert.deepEqual(await collect(world.parts, 0, END, 'none'), []);
  assert.equal(turns, 20);
});

test('one turn copies at most 256 messages, or 256 KiB and one message', async () => {
  const world = await World.make({ messages: 8192, bytes: 16 * 1024 * 1024 });
  const batches = async () => {
    const sizes: number[] = [];
    for await (const batch of sequence(world.parts, { start: world.lastKey - 999, end: END }, null)) {
      sizes.push(batch.length);
    }
    return sizes;
  };
  world.publishMany(1000);
  assert.deepEqual(await batches(), [256, 256, 256, 232]);
  world.publishMany(994);
  for (let i = 0; i < 6; i++) world.publish('t', 'x'.repeat(200_000));
  assert.deepEqual(await batches(), [256, 256, 256, 228, 2, 2]);
});

/** What may happen between two looks of a sequence. */
function commotion(world: World, random: () => number, reports: (() => void)[]): () => void {
  return () => {
    for (let actions = whole(random, 0, 3); actions > 0; actions--) {
      const what = random();
      if (what < 0.5) world.publish(pick(random, ['a', 'b']), 'x'.repeat(whole(random, 0, 60)));
      else if (what < 0.7) world.take(whole(random, 1, 10));
      else if (what < 0.85) reports.push(world.write());
      else reports.shift()?.();
      world.exchange.admitWaiting();
    }
  };
}

test('whatever moves from ring to file meanwhile, every message comes once and in order', async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = generator(seed);
    const world = await World.make({ messages: whole(random, 2, 40), bytes: 8192 });
    const reports: (() => void)[] = [];
    const act = commotion(world, random, reports);
    for (let i = whole(random, 0, 150); i > 0; i--) act();
    world.batchRows = whole(random, 1, 9);
    world.meanwhile = act;
    const captured = [...world.messages.values()];
    const [low, high] = [999, world.lastKey + whole(random, 0, 3)];
    const start = whole(random, low, high);
    const end = random() < 0.3 ? END : whole(random, start, high);
    const topic = random() < 0.3 ? 'a' : null;
    const wanted = (messages: Iterable<{ key: number; topic: string }>) =>
      [...messages].filter(
        (one) => one.key >= start && one.key <= end && (topic === null || one.topic === topic),
      );
    const found = await collect(world.parts, start, end, topic, act);
    // What was captured while it ran may be in it, but then all before that is too.
    const all = wanted(world.messages.values());
    assert.deepEqual(found, all.slice(0, found.length), `seed ${seed}`);
    assert.ok(found.length >= wanted(captured).length, `seed ${seed}: ${found.length}`);
  }
});

test('between two files, too, it is told what is passed over: another file may come there', async () => {
  const world = await World.make({ messages: 8 });
  for (const from of [1000, 2000, 3000]) {
    world.jump(from);
    world.publishMany(3);
    world.commit();
  }
  const restarted = await World.make();
  for (const { firstKey, lastKey } of world.catalog.files('vehicle'))
    restarted.addFile([...world.messages.values()].filter(({ key }) => key >= firstKey && key <= lastKey));
  const passed: KeyRange[] = [];
  await collect({ ...restarted.parts, onPassed: (keys) => passed.push(keys) }, 1001, 4000);
  assert.deepEqual(passed, [
    { start: 1003, end: 1999 },
    { start: 2003, end: 2999 },
    { start: 3003, end: 4000 },
  ]);
});

test('drop-oldest: what an answer misses is in its gaps', async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = generator(seed);
    const world = await World.make({ messages: whole(random, 2, 20), bytes: 8192, whenFull: 'drop-oldest' });
    const reports: (() => void)[] = [];
    const act = commotion(world, random, reports);
    for (let i = whole(random, 0, 100); i > 0; i--) act();
    world.batchRows = whole(random, 1, 4);
    world.meanwhile = act;
    const range = { start: 0, end: world.lastKey };
    const seen: Gap[] = [];
    const onPassed = (keys: KeyRange) => {
      assert.ok(keys.start <= keys.end && keys.end <= range.end);
      seen.push(...world.stream.gapsWithin([keys]));
    };
    const parts = { ...world.parts, onPassed };
    const found = keysOf(await collect(parts, range.start, range.end, null, act));
    assert.deepEqual(
      found,
      [...new Set(found)].sort((a, b) => a - b),
    );
    const gaps = gapsOfAnswer(seen, world.stream.gapsWithin([range])) as Gap[];
    for (const key of world.messages.keys()) {
      if (key > range.end || found.includes(key)) continue;
      const gap = gaps.find(({ start, end }) => start <= key && end >= key);
      assert.ok(gap !== undefined, `seed ${seed}: ${key} is missing and in no gap`);
    }
  }
});

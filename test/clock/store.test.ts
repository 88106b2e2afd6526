import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CEILING_AHEAD, ClockStore, SAVE_EVERY } from '../../src/clock/store.js';
import { generator } from '../catalog/generator.js';
import {
  DAY,
  FakeFiles,
  FakeTime,
  NOTHING,
  type Operation,
  open,
  PATH,
  SECOND,
  stateOf,
  TODAY,
} from './machine.js';

test('the first start writes its state ahead of the first key', async () => {
  const time = new FakeTime();
  const files = new FakeFiles();
  const { clock, afterCrash, warnings } = await open(time, files);
  assert.equal(afterCrash, false);
  assert.deepEqual(warnings, []);
  assert.deepEqual(files.log, [
    `readFile ${PATH}`,
    `open ${PATH}.tmp w 600`,
    `writeFile ${PATH}.tmp`,
    `sync ${PATH}.tmp`,
    `close ${PATH}.tmp`,
    `rename ${PATH}.tmp ${PATH}`,
    'open /data r 0',
    'sync /data',
    'close /data',
  ]);
  const { bootId, base, ceiling, clean, corrections } = stateOf(files);
  assert.deepEqual([bootId, clean], [time.bootId, false]);
  assert.equal(base, clock.base);
  assert.ok(ceiling >= TODAY + 2 * SAVE_EVERY);
  assert.deepEqual(corrections, [{ from: 0, offset: 0 }]);
  assert.equal(clock.next(), TODAY);
});

test('it works with real files', async (t) => {
  const folder = await fs.mkdtemp(join(tmpdir(), 'mqtt-stream-clock-'));
  t.after(() => fs.rm(folder, { recursive: true }));
  const time = new FakeTime();
  const log = { warn: () => assert.fail('nothing to warn of') };
  const first = await ClockStore.open(folder, time, fs, NOTHING, log);
  const key = first.clock.next();
  await first.store.save(true);
  assert.deepEqual(await fs.readdir(folder), ['clock.json']);
  assert.equal((await fs.stat(join(folder, 'clock.json'))).mode & 0o777, 0o600);
  const second = await ClockStore.open(folder, time, fs, NOTHING, log);
  assert.equal(second.afterCrash, false);
  assert.equal(second.clock.next(), key + 1);
});

const GOOD = { bootId: 'boot-1', base: TODAY, ceiling: TODAY, clean: true, corrections: [] };

test('a state that is not readable is told, and keys go on from the files', async () => {
  const bad: unknown[] = [
    { ...GOOD, base: 9e15 },
    { ...GOOD, base: 1e300 },
    { ...GOOD, base: null },
    { ...GOOD, ceiling: Number.MAX_SAFE_INTEGER },
    { ...GOOD, ceiling: 1.5 },
    { ...GOOD, clean: 'true' },
    { ...GOOD, bootId: 1 },
    { ...GOOD, corrections: {} },
    { ...GOOD, corrections: [{ from: 1, offset: null }] },
    { ...GOOD, corrections: [[1, 2]] },
    { ceiling: TODAY },
    [GOOD],
    null,
    7,
  ];
  const whole = JSON.stringify(GOOD);
  const texts = ['', ' ', '\0'.repeat(100), '{', whole.slice(0, -1), whole + whole];
  texts.push(`{"__proto__":${whole}}`, whole.replace('"base":', '"base":1e999,"x":'));
  texts.push(...bad.map((one) => JSON.stringify(one)));
  for (const text of texts) {
    const files = new FakeFiles();
    files.contents.set(PATH, text);
    const known = { maxKey: TODAY + 5, corrections: () => [{ from: 3, offset: 0 }] };
    const { clock, afterCrash, warnings } = await open(new FakeTime(), files, known);
    const from = TODAY + 5 + CEILING_AHEAD;
    assert.equal(clock.next(), from, text);
    assert.deepEqual(clock.corrections, [
      { from: 3, offset: 0 },
      { from, offset: TODAY - from },
    ]);
    assert.equal(warnings.length, 1, text);
    assert.equal(afterCrash, true, 'nobody can tell');
    assert.equal(stateOf(files).clean, false);
  }
});

test('a state that is well-formed nonsense does no harm to keys', async () => {
  const random = generator(40);
  const odd = [0, -1, 1, -8e15, TODAY - DAY, TODAY, TODAY + DAY, 8.5e15];
  const some = () => odd[Math.floor(random() * odd.length)]! + Math.floor(random() * 3);
  for (let round = 0; round < 300; round++) {
    const corrections = Array.from({ length: Math.floor(random() * 5) }, () => ({
      from: some(),
      offset: some(),
    }));
    const bootId = random() < 0.5 ? 'boot-1' : 'boot-0';
    const state = { bootId, base: some(), ceiling: some(), clean: random() < 0.5, corrections };
    const files = new FakeFiles();
    files.contents.set(PATH, JSON.stringify(state));
    const time = new FakeTime();
    const { clock } = await open(time, files, { maxKey: TODAY - 1, corrections: () => [] });
    let last = TODAY - 1;
    for (let i = 0; i < 10; i++) {
      const key = clock.next();
      assert.ok(Number.isSafeInteger(key) && key > last, JSON.stringify(state));
      assert.ok(Math.abs(clock.wallOf(key) - time.now) <= 50_000 + 10, JSON.stringify(state));
      last = key;
      if (i > 5) time.advance(SECOND);
    }
    const froms = clock.corrections.map(({ from }) => from);
    assert.deepEqual(
      froms,
      froms.toSorted((a, b) => a - b),
    );
  }
});

test('files that cannot be read or written at the start, and keys that leave no room', async () => {
  for (const [operation, code] of [
    ['readFile', 'EACCES'],
    ['readFile', 'EISDIR'],
    ['open', 'EROFS'],
    ['rename', 'ENOSPC'],
  ] as [Operation, string][]) {
    const files = new FakeFiles();
    files.fail = operation;
    files.failCode = code;
    const message = new RegExp(`/data.*${code}`);
    await assert.rejects(open(new FakeTime(), files), { code: 'DATA_DIR_UNUSABLE', message });
  }
  const known = { ...NOTHING, maxKey: Number.MAX_SAFE_INTEGER };
  const message = /9007199254740991/;
  await assert.rejects(open(new FakeTime(), new FakeFiles(), known), { code: 'DATA_DIR_UNUSABLE', message });
});

test('a save that fails is told, keeps the state before, and the next one works', async () => {
  for (const operation of ['open', 'writeFile', 'sync', 'close', 'rename'] as const) {
    const time = new FakeTime();
    const files = new FakeFiles();
    const { clock, store } = await open(time, files);
    const before = stateOf(files);
    time.advance(SAVE_EVERY);
    files.fail = operation;
    await assert.rejects(store.save(false), { message: `EIO: ${operation} failed` });
    assert.deepEqual(stateOf(files), before);
    assert.equal(files.opened, 0);
    clock.next();
    await store.save(true);
    assert.deepEqual([stateOf(files).clean, stateOf(files).ceiling], [true, clock.last + 1]);
  }
});

test('saves come one after another, and the last one counts', async () => {
  const time = new FakeTime();
  const files = new FakeFiles();
  const { clock, store } = await open(time, files);
  files.log.length = 0;
  files.fail = 'sync';
  const saves = [store.save(false), store.save(false)];
  const last = clock.next();
  saves.push(store.save(true));
  const results = await Promise.allSettled(saves);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled'],
  );
  const steps = files.log.map((line) => line.split(' ')[0]);
  const whole = ['open', 'writeFile', 'sync', 'close', 'rename', 'open', 'sync', 'close'];
  assert.deepEqual(steps, [...whole.slice(0, 4), ...whole, ...whole]);
  assert.deepEqual([stateOf(files).clean, stateOf(files).ceiling], [true, last + 1]);
});

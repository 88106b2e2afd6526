import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { App } from '../../src/app/app.js';
import { FakeTime, HOUR, SECOND } from '../clock/machine.js';
import {
  configOf,
  crashed,
  numbered,
  publishMany,
  replayed,
  started,
  streamInput,
  temporaryFolder,
} from './app-fixture.js';

async function flush(app: App): Promise<void> {
  const result = await app.request('flush', { id: 'flush', stream: 'vehicle' });
  assert.equal(result.ok, true, result.error?.message);
}

/** The Parquet files, oldest first. */
async function filesOf(dataDir: string): Promise<string[]> {
  const all = await readdir(dataDir, { recursive: true });
  return all
    .filter((path) => path.endsWith('.parquet'))
    .sort()
    .map((path) => join(dataDir, path));
}

test('after a crash a gap says that messages are missing, from the last file to the start', async (t) => {
  const dataDir = await temporaryFolder(t);
  const streams = [streamInput({ durability: 'none' })];
  const { app } = await started(t, configOf(dataDir, { streams }));
  await publishMany(app, 'kept', 5);
  await flush(app);
  await publishMany(app, 'lost', 5);
  const before = await replayed(app);
  const copy = await crashed(t, dataDir);

  const { app: next } = await started(t, configOf(copy, { streams }));
  const after = await replayed(next);
  assert.deepEqual(after.payloads, numbered('kept', 5));
  const [gap] = after.gaps;
  assert.deepEqual([after.gaps.length, gap!.reason, gap!.messages], [1, 'crash', null]);
  assert.equal(gap!.start, before.keys[4]! + 1);
  assert.ok(before.keys.slice(5).every((key) => key >= gap!.start && key <= gap!.end));
  await publishMany(next, 'new', 1);
  const { keys, gaps } = await replayed(next);
  assert.ok(keys.at(-1)! > gap!.end, 'no key of this process is in it');
  assert.deepEqual(gaps, after.gaps);
  const recent = await replayed(next, { ranges: [{ start: keys.at(-1)! }], time: 'key' });
  assert.deepEqual([recent.payloads, recent.gaps], [['new0'], []]);

  // A stream that comes back or comes new while running has missed no more than that.
  await next.removeStream('vehicle');
  next.addStream(streamInput());
  assert.deepEqual((await replayed(next)).gaps, after.gaps);
  next.addStream(streamInput({ name: 'other' }));
  assert.equal((await replayed(next, {}, 'other')).gaps[0]!.end, gap!.end);

  await next.close();
  const { app: third } = await started(t, configOf(copy));
  assert.deepEqual((await replayed(third)).payloads, [...numbered('kept', 5), 'new0']);
});

for (const durability of ['process', 'interval', 'strict'] as const) {
  test(`${durability}: what was acknowledged is there after a crash, and what may be missing is behind it`, async (t) => {
    const dataDir = await temporaryFolder(t);
    const config = (folder: string) => configOf(folder, { streams: [streamInput({ durability })] });
    const { app } = await started(t, config(dataDir));
    await publishMany(app, 'file', 5);
    await flush(app);
    await publishMany(app, 'journal', 5, 1);
    const { keys } = await replayed(app);
    const copy = await crashed(t, dataDir);

    const { app: next, log } = await started(t, config(copy));
    const after = await replayed(next);
    assert.deepEqual(after.payloads, [...numbered('file', 5), ...numbered('journal', 5)]);
    assert.deepEqual(after.keys, keys);
    const [gap] = after.gaps;
    assert.deepEqual([after.gaps.length, gap!.reason, gap!.start], [1, 'crash', keys[9]! + 1]);
    assert.equal(log.matching(/a journal was put into a file/).length, 1);
    assert.equal((await filesOf(copy)).length, 2);
    await publishMany(next, 'new', 1);
    assert.equal((await replayed(next)).payloads.at(-1), 'new0');
  });
}

test('a clean stop leaves no gap', async (t) => {
  const dataDir = await temporaryFolder(t);
  const { app } = await started(t, configOf(dataDir));
  await publishMany(app, 'a', 5);
  await app.close();
  const { app: next } = await started(t, configOf(dataDir));
  assert.deepEqual((await replayed(next)).gaps, []);
});

test('a crash in the first moments: a temporary file, a lock of the dead, half a clock state', async (t) => {
  const dataDir = await temporaryFolder(t);
  const { app } = await started(t, configOf(dataDir));
  await publishMany(app, 'a', 5);
  await flush(app);
  const [file] = await filesOf(dataDir);
  const copy = await crashed(t, dataDir);
  await writeFile(join(copy, 'lock.json'), '{"pid": 1, "startTicks": "1", "started": "x"}');
  const text = await readFile(join(copy, 'clock.json'), 'utf8');
  await writeFile(join(copy, 'clock.json'), text.slice(0, 20));
  const torn = `${(await filesOf(copy))[0]!.replace('_1.', '_2.')}.tmp`;
  await writeFile(torn, (await readFile(file!)).subarray(0, 100));
  const { app: next } = await started(t, configOf(copy));
  const { payloads, keys } = await replayed(next);
  assert.deepEqual(payloads, numbered('a', 5));
  await publishMany(next, 'b', 1);
  assert.ok((await replayed(next)).keys.at(-1)! > keys.at(-1)!);
});

test('corrupt files, at the start and later: set aside, never served, never fatal, the rest is answered', async (t) => {
  const dataDir = await temporaryFolder(t);
  const { app } = await started(t, configOf(dataDir));
  for (let i = 0; i < 5; i++) {
    await publishMany(app, `${i}-`, 4);
    await flush(app);
  }
  await app.close();
  const files = await filesOf(dataDir);
  const whole = await readFile(files[1]!);
  await writeFile(files[1]!, whole.subarray(0, whole.length / 2));
  await writeFile(files[2]!, '');

  const { app: next, log } = await started(t, configOf(dataDir));
  assert.equal(log.matching(/a corrupt file was set aside/).length, 2);
  const rest = [...numbered('0-', 4), ...numbered('3-', 4), ...numbered('4-', 4)];
  assert.deepEqual((await replayed(next)).payloads, rest);

  // The footer stays whole: only reading it finds out.
  const later = await readFile(files[3]!);
  later.fill(0xff, 4, later.length - 2000);
  await writeFile(files[3]!, later);
  assert.deepEqual((await replayed(next)).payloads, [...numbered('0-', 4), ...numbered('4-', 4)]);
  assert.equal(log.matching(/a corrupt file was set aside/).length, 3);
  const search = await next.request('search', { id: 's', stream: 'vehicle' });
  assert.deepEqual([search.ok, search.files!.length], [true, 2]);

  await rm(files[4]!);
  assert.deepEqual((await replayed(next)).payloads, numbered('0-', 4));
  assert.deepEqual((await replayed(next)).payloads, numbered('0-', 4));
  await publishMany(next, 'new', 2);
  await flush(next);
  assert.deepEqual((await replayed(next)).payloads, [...numbered('0-', 4), 'new0', 'new1']);
  const { length } = (await readdir(dataDir, { recursive: true })).filter((path) =>
    path.endsWith('.corrupt'),
  );
  assert.equal(length, 3);
});

test('a search by wall time finds what a person expects, over steps of the clock and restarts', async (t) => {
  const dataDir = await temporaryFolder(t);
  const time = new FakeTime();
  const at = new Map<string, number>();
  let count = 0;
  const publish = async (app: App) => {
    const payload = `${count++}`;
    at.set(payload, time.now);
    await app.publish({ topic: 'vehicle/n', payload });
    time.advance(60 * SECOND);
  };
  const check = async (app: App) => {
    const times = [...at.values()];
    const latest = times.slice(-3).sort((a, b) => a - b);
    for (const [start, end] of [
      // A clock that stands still gives keys a few microseconds beside it.
      [times[0]! - SECOND, times[2]! + SECOND],
      [0, Math.max(...times) + SECOND],
      [latest[0]! - SECOND, latest[2]! + SECOND],
      [times[4]! - 30 * SECOND, times[4]! + 30 * SECOND],
    ] as const) {
      const expected = [...at].filter(([, when]) => when >= start && when <= end).map(([payload]) => payload);
      const { payloads } = await replayed(app, { ranges: [{ start, end }] });
      assert.deepEqual(payloads, expected);
    }
  };
  const run = async (steps: (app: App) => Promise<void>) => {
    const { app, log } = await started(t, configOf(dataDir), { time });
    await steps(app);
    await check(app);
    await flush(app);
    await check(app);
    await app.close();
    return log;
  };

  const log = await run(async (app) => {
    for (let i = 0; i < 3; i++) await publish(app);
    time.step(-2 * 60 * SECOND);
    for (let i = 0; i < 3; i++) await publish(app);
    time.step(24 * HOUR);
    for (let i = 0; i < 2; i++) await publish(app);
  });
  assert.equal(log.matching(/the wall clock stepped/).length, 2);
  time.step(-3 * HOUR);
  await run(publish);
  // The machine has no battery for its clock: it starts again in the past.
  time.reboot(-40 * 24 * HOUR);
  await run(async (app) => {
    await publish(app);
    time.step(40 * 24 * HOUR);
    await publish(app);
  });
  await run(publish);
});

test('without the state of the clock, keys and corrections go on from the files', async (t) => {
  const dataDir = await temporaryFolder(t);
  const time = new FakeTime();
  const { app } = await started(t, configOf(dataDir), { time });
  await publishMany(app, 'a', 1);
  time.advance(SECOND);
  time.step(5 * HOUR);
  const stepped = time.now;
  await publishMany(app, 'b', 1);
  await app.close();
  await rm(join(dataDir, 'clock.json'));
  time.reboot(-10 * 24 * HOUR);
  const { app: next } = await started(t, configOf(dataDir), { time });
  await publishMany(next, 'c', 1);
  const { keys, payloads } = await replayed(next, { ranges: [{ end: stepped + HOUR }] });
  assert.deepEqual(payloads, ['a0', 'b0', 'c0']);
  assert.deepEqual(
    keys,
    [...keys].sort((a, b) => a - b),
  );
  const range = { start: stepped - SECOND, end: stepped + SECOND };
  assert.deepEqual((await replayed(next, { ranges: [range] })).payloads, ['b0']);
});

/** Wrong clocks, seen from outside: by requests, over restarts, and by DuckDB. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { App } from '../../src/app/app.js';
import { DAY, FakeTime, HOUR, SECOND, TODAY } from '../clock/machine.js';
import { configOf, crashed, replayed, started, streamInput, temporaryFolder } from './app-fixture.js';

async function flush(app: App): Promise<void> {
  assert.equal((await app.request('flush', { id: 'flush', stream: 'vehicle' })).ok, true);
}

/** One a second. */
async function drive(app: App, time: FakeTime, ...payloads: string[]): Promise<void> {
  for (const payload of payloads) {
    time.advance(SECOND);
    await app.publish({ topic: 'vehicle/n', payload, qos: 1 });
  }
}

/** Within what is not corrected. */
const near = (a: number, b: number) => Math.abs(a - b) <= 51_000;

/** The latest of `$SYS/broker/clock/...`: state, offset, corrections. */
function toldOf(app: App): string[] {
  return [...app.broker.sys.values.matching('$SYS/broker/clock/+')].map(({ payload }) => payload.toString());
}

/** What the statement in docs/time.md finds: payload and wall time. */
async function bySql(dataDir: string): Promise<[string, number][]> {
  const [, sql] = /```sql\n(.*?)```/s.exec(await readFile(resolve('docs/time.md'), 'utf8'))!;
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const from = sql!.replaceAll('data/streams/', `${dataDir}/streams/`).replace(/;\s*$/, '');
    const rows = await connection.runAndReadAll(`SELECT decode(payload), epoch_us(wall) FROM (${from})`);
    return rows.getRows().map(([payload, wall]) => [String(payload), Number(wall)]);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

test('boot at 1970 and GPS later: found where it was, kept over restarts and retention, by requests and by SQL', async (t) => {
  const dataDir = await temporaryFolder(t);
  const time = new FakeTime(2 * SECOND, 2 * SECOND);
  const { app, log } = await started(t, configOf(dataDir), { time });
  assert.equal(log.matching(/the wall clock cannot be right/).length, 1);
  await drive(app, time, 'a', 'b');
  await flush(app);
  await drive(app, time, 'c');
  time.step(TODAY);
  await drive(app, time, 'd');
  assert.equal(log.matching(/the wall clock was set/).length, 1);

  const drives = { ranges: [{ start: TODAY, end: TODAY + 5.5 * SECOND }] };
  assert.deepEqual((await replayed(app, drives)).payloads, ['a', 'b', 'c']);
  assert.deepEqual((await replayed(app, { ranges: [{ start: '-1500ms' }] })).payloads, ['c', 'd']);
  assert.deepEqual((await replayed(app, { ranges: [{ end: HOUR }] })).payloads, []);
  const raw = await replayed(app, { ranges: [{ start: 4 * SECOND, end: HOUR }], time: 'key' });
  assert.deepEqual(raw.payloads, ['b', 'c', 'd']);
  assert.deepEqual(raw.keys, [4 * SECOND, 5 * SECOND, 6 * SECOND]);

  const asked = { id: 'files', stream: 'vehicle' };
  assert.deepEqual((await app.request('files', { ...asked, ...drives })).corrections, [
    { from: 2 * SECOND, offset: TODAY },
  ]);
  assert.equal((await app.request('files', { ...asked, time: 'key' })).corrections, undefined);
  // Whoever has keys only can ask how they become wall time.
  assert.deepEqual(
    (await app.request('status', asked)).corrections,
    app.clock.corrections.map(({ from, offset }) => ({ from, offset })),
  );
  assert.deepEqual(toldOf(app), ['doubtful', '0.000000', '1']);
  app.broker.sys.tree.publish();
  assert.deepEqual(toldOf(app), [
    'trusted',
    `${TODAY / SECOND}.000000`,
    `${app.clock.corrections.length - 1}`,
  ]);
  await app.close();

  // Keys are of the day now, and the files before are not 56 years old.
  const { app: next } = await started(t, configOf(dataDir), { time });
  await drive(next, time, 'e');
  const all = await replayed(next, { ranges: [{ start: TODAY }] });
  assert.deepEqual(all.payloads, ['a', 'b', 'c', 'd', 'e']);
  assert.ok(near(all.keys[4]!, time.now));
  await next.close();
  const expected = all.payloads.map((payload, i) => [payload, TODAY + (3 + i) * SECOND] as const);
  const found = await bySql(dataDir);
  assert.deepEqual(
    found.map(([payload]) => payload),
    expected.map(([payload]) => payload),
  );
  for (const [i, [, wall]] of found.entries()) assert.ok(near(wall, expected[i]![1]), `${wall}`);

  // Nor are they without the state of the clock.
  await rm(join(dataDir, 'clock.json'));
  const { app: third } = await started(t, configOf(dataDir), { time });
  assert.deepEqual((await replayed(third, drives)).payloads, ['a', 'b', 'c']);
});

for (const loss of ['lost', 'damaged'] as const) {
  test(`clock.json ${loss} by a crash, the clock behind: keys go on behind the journal`, async (t) => {
    const dataDir = await temporaryFolder(t);
    const time = new FakeTime();
    const { app } = await started(t, configOf(dataDir), { time });
    await drive(app, time, 'a', 'b');
    await flush(app);
    await drive(app, time, 'c', 'd');
    const copy = await crashed(t, dataDir);
    if (loss === 'lost') await rm(join(copy, 'clock.json'));
    else await writeFile(join(copy, 'clock.json'), '{"bootId":"boot-1","ba');

    time.reboot(-3 * DAY);
    const { app: next, log } = await started(t, configOf(copy), { time });
    assert.equal(log.matching(/the clock state is (gone|not readable)/).length, 1);
    await drive(next, time, 'e');
    const { keys, payloads, gaps } = await replayed(next);
    assert.deepEqual(payloads, ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(
      keys,
      keys.toSorted((a, b) => a - b),
    );
    assert.deepEqual(
      gaps.map(({ reason }) => reason),
      ['crash'],
    );
    const range = { start: time.now - SECOND / 2, end: time.now + SECOND / 2 };
    assert.deepEqual((await replayed(next, { ranges: [range] })).payloads, ['e']);
    assert.deepEqual((await replayed(next, { ranges: [{ start: TODAY, end: TODAY + HOUR }] })).payloads, [
      'a',
      'b',
      'c',
      'd',
    ]);
  });
}

test('an hour shown twice, a leap smeared and a night asleep: requests and SQL agree', async (t) => {
  const dataDir = await temporaryFolder(t);
  const time = new FakeTime();
  const when: [string, number][] = [];
  const { app } = await started(t, configOf(dataDir, { streams: [streamInput({ durability: 'none' })] }), {
    time,
  });
  let count = 0;
  const publish = async () => {
    const payload = `${count++}`;
    await app.publish({ topic: 'vehicle/n', payload });
    when.push([payload, time.now]);
    if (count % 20 === 0) await flush(app);
  };
  for (let i = 0; i < 30; i++) {
    time.advance(HOUR / 15);
    await publish();
    if (i === 15) time.step(-HOUR);
  }
  time.suspend(8 * HOUR);
  for (let i = 0; i < 48; i++) {
    time.slew(HOUR / 2, SECOND / 48);
    await publish();
  }
  await flush(app);
  const found = await bySql(dataDir);
  assert.equal(found.length, when.length);
  for (const [i, [payload, wall]] of found.entries()) {
    assert.equal(payload, when[i]![0]);
    assert.ok(near(wall, when[i]![1]), `${payload} is off by ${wall - when[i]![1]}`);
  }
  for (let i = 0; i < when.length; i += 5) {
    const around = Math.round(when[i]![1]);
    const [start, end] = [around - HOUR / 40, around + HOUR / 40];
    const expected = when.filter(([, wall]) => wall >= start && wall <= end).map(([payload]) => payload);
    assert.deepEqual((await replayed(app, { ranges: [{ start, end }] })).payloads, expected);
  }
  const folders = await readdir(join(dataDir, 'streams', 'vehicle'));
  assert.ok(folders.includes('date=2024-11-23'));
});

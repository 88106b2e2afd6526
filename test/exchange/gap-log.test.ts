import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GapLog } from '../../src/exchange/gap-log.js';
import { readGapRecord } from '../../src/exchange/gap-record.js';
import { type GapReason, Gaps } from '../../src/exchange/gaps.js';
import { generator } from '../catalog/generator.js';
import { pick, whole } from '../ring/samples.js';
import { GapDisk } from './gap-disk.js';

const PATH = '/data/streams/a/gaps.log';
const ALL = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

function rig(disk = new GapDisk(), gaps = new Gaps(), length: number | null = null) {
  const faults: string[] = [];
  let recovered = 0;
  let due: { ms: number; callback: () => void } | null = null;
  const log = new GapLog({
    path: PATH,
    gaps,
    length,
    files: disk,
    after: (ms, callback) => {
      const one = { ms, callback };
      due = one;
      return () => {
        if (due === one) due = null;
      };
    },
    onFault: (error) => faults.push((error as Error).message),
    onRecovered: () => recovered++,
  });
  /** Lets the time pass that it waits for; resolves, with that time, when it waits again or not any more. */
  const pass = async (): Promise<number> => {
    assert.ok(due !== null, 'it waits for nothing');
    const { ms, callback } = due;
    due = null;
    callback();
    await new Promise(setImmediate);
    return ms;
  };
  const read = () => readGapRecord(disk.text(PATH));
  return { disk, faults, gaps, log, pass, read, recovered: () => recovered, waits: () => due !== null };
}

test('the first gap is written at once, what comes within a second after it, once', async () => {
  const { disk, gaps, pass, read, waits } = rig();
  gaps.begin(0);
  gaps.add(1, 'dropped', false);
  assert.equal(await pass(), 0);
  assert.deepEqual(read().gaps, [{ start: 1, end: 1, messages: 1, reason: 'dropped' }]);
  for (let key = 2; key <= 100; key++) gaps.add(key, 'dropped', true);
  const before = disk.log.length;
  const rest = await pass();
  assert.ok(rest >= 1000 && rest < 1100, `${rest}`);
  assert.deepEqual(read().gaps, [{ start: 1, end: 100, messages: 100, reason: 'dropped' }]);
  assert.deepEqual(
    disk.log.slice(before).map((line) => line.split(' ').slice(0, -1).join(' ')),
    ['open a', 'write', 'sync', 'close'],
  );
  // Nothing is new, nothing is written.
  await pass();
  assert.equal(waits(), false);
  assert.equal(disk.log.length, before + 4);
});

test('who asks while another one asks is told what became of the write', async () => {
  const { disk, gaps, log } = rig();
  gaps.begin(0);
  disk.onOperation = (operation) => {
    if (operation === 'rename') throw new Error('ENOSPC');
  };
  const first = log.save();
  gaps.add(1, 'dropped', false);
  assert.deepEqual(await Promise.all([first, log.save(), log.save()]), [false, false, false]);
  disk.onOperation = () => {};
  assert.deepEqual(await Promise.all([log.save(), log.save()]), [true, true]);
});

test('the names of its folders are on the disk with the first write, whoever made them', async () => {
  for (const length of [null, 0]) {
    const { disk, gaps, log } = rig(new GapDisk(), new Gaps(), length);
    gaps.begin(0);
    assert.equal(await log.save(), true);
    const synced = disk.log
      .filter((line) => line.startsWith('sync '))
      .map((line) => line.slice('sync '.length));
    assert.deepEqual(synced.slice(-3), ['/data/streams/a', '/data/streams', '/data']);
    const before = disk.log.length;
    gaps.settle(1);
    assert.equal(await log.save(), true);
    assert.ok(!disk.log.slice(before).includes('sync /data'));
  }
});

test('a growing gap tells of itself once between two writes', () => {
  const gaps = new Gaps();
  let told = 0;
  gaps.onChange = () => told++;
  gaps.add(1, 'dropped', false);
  for (let key = 2; key < 1000; key++) gaps.add(key, 'dropped', true);
  assert.ok(told <= 2, `${told}`);
  assert.equal(gaps.takeChanges().gaps[0]!.messages, 999);
  gaps.add(1000, 'dropped', true);
  assert.ok(told <= 3);
  assert.equal(gaps.takeChanges().gaps[0]!.messages, 1000);
});

for (const operation of ['mkdir', 'open w', 'write', 'sync', 'rename', 'open r']) {
  test(`a disk that fails at "${operation}" is told of once, and everything is written later`, async () => {
    const { disk, faults, gaps, pass, read, recovered } = rig();
    disk.onOperation = (one) => {
      if (one === operation) throw new Error(`EIO: ${one}`);
    };
    gaps.add(1, 'dropped', false);
    await pass();
    gaps.add(2, 'dropped', true);
    assert.ok((await pass()) >= 1000);
    gaps.add(9, 'rejected', false);
    assert.deepEqual(faults, [`EIO: ${operation}`]);
    disk.onOperation = () => {};
    await pass();
    assert.equal(recovered(), 1);
    assert.deepEqual(read().gaps, gaps.within(ALL));
    assert.equal(read().torn, false);
  });
}

test('after a failed append the file is made anew: nobody knows how it ends', async () => {
  const { disk, gaps, pass, read } = rig();
  gaps.add(1, 'dropped', false);
  await pass();
  disk.onOperation = (operation) => {
    if (operation === 'write') throw new Error('ENOSPC');
  };
  gaps.add(5, 'rejected', false);
  await pass();
  assert.equal(read().torn, true);
  disk.onOperation = () => {};
  await pass();
  assert.deepEqual([read().torn, read().damaged, read().gaps], [false, 0, gaps.within(ALL)]);
});

test('the end writes what is new, and says whether it could', async () => {
  const one = rig();
  one.gaps.add(1, 'dropped', false);
  assert.equal(await one.log.close(), true);
  assert.equal(one.read().gaps.length, 1);
  assert.equal(one.waits(), false);
  const other = rig();
  other.disk.onOperation = () => {
    throw new Error('EROFS');
  };
  other.gaps.add(1, 'dropped', false);
  assert.equal(await other.log.close(), false);
  assert.equal(await rig().log.close(), true);
});

test('its length is bounded, over restarts, too, and long records are written seldom', async () => {
  const disk = new GapDisk();
  let key = 0;
  let longest = 0;
  for (let life = 0; life < 30; life++) {
    const text = disk.text(PATH);
    const { gaps, log, pass } = rig(
      disk,
      Gaps.restored(readGapRecord(text)),
      life === 0 ? null : text.length,
    );
    for (let i = 0; i < 10; i++) {
      for (let j = 0; j < 100; j++) gaps.add(key + j * 5, 'dropped', false);
      key += 500;
      gaps.forget(key - 1000);
      await pass();
      longest = Math.max(longest, disk.text(PATH).length);
    }
    await log.close();
  }
  assert.ok(longest < 128 * 1024, `${longest}`);
  const { gaps, pass, read } = rig();
  for (let i = 0; i < 50_000; i++) gaps.add(10 + i * 10, 'dropped', false);
  await pass();
  gaps.add(1e6, 'dropped', false);
  const rest = await pass();
  assert.ok(rest > 5000, `${rest}`);
  // Those that were joined are in it as one.
  const byStart = read().gaps.toSorted((a, b) => a.start - b.start);
  assert.deepEqual(byStart, gaps.within(ALL));
});

test('whenever the power goes, a record is left, and it knows all gaps up to the key that it names', async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = generator(seed);
    const { disk, gaps, pass, waits } = rig();
    gaps.begin(0);
    const missing: { key: number; reason: GapReason }[] = [];
    let key = 0;
    let cut: string | null = null;
    let operations = whole(random, 0, 60);
    disk.onOperation = () => {
      if (operations-- === 0) cut = disk.afterCut(PATH, random);
    };
    for (let step = 0; step < 60 && cut === null; step++) {
      for (let i = whole(random, 1, 10); i > 0; i--) {
        key += whole(random, 1, 9);
        const reason = pick(random, ['dropped', 'rejected', 'too-large'] as const);
        gaps.add(key, reason, random() < 0.7);
        missing.push({ key, reason });
      }
      if (random() < 0.7) gaps.settle(key);
      if (random() < 0.5 && waits()) await pass();
    }
    const record = readGapRecord(cut ?? disk.text(PATH));
    assert.equal(record.damaged, 0);
    const { settled } = record;
    for (const one of missing) {
      if (settled === null || one.key > settled) continue;
      const gap = record.gaps.find(
        ({ start, end, reason }) => reason === one.reason && start <= one.key && end >= one.key,
      );
      assert.ok(gap !== undefined, `seed ${seed}: key ${one.key} up to ${settled}`);
    }
    // Nothing is told that was not: each gap is one of before, or what one of before was.
    for (const gap of record.gaps) {
      const [now] = gaps
        .within([gap])
        .filter(({ start, reason }) => start === gap.start && reason === gap.reason);
      assert.ok(now !== undefined && now.end >= gap.end && now.messages! >= gap.messages!);
    }
  }
});

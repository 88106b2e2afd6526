import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Catalog } from '../../src/catalog/catalog.js';
import type { CatalogFs } from '../../src/catalog/place.js';
import { Merger } from '../../src/merge/merger.js';
import { merge } from '../../src/merge/merging.js';
import { limitsOf } from '../../src/merge/plan.js';
import type { MergeJob, MergeReport } from '../../src/merge/protocol.js';
import { MergeThread } from '../../src/merge/thread.js';
import { parquetEncoder } from '../../src/recorder/files/parquet.js';
import type { Message } from '../../src/ring/record.js';
import { generator } from '../catalog/generator.js';
import { DAY, DAY_MICROS, dataFolder, memoryLog } from '../catalog/parquet.js';
import { type Sample, whole } from '../ring/samples.js';
import { anyRoom, duckMessages, messagesOf, quickDisk, record, SEALING, STREAM, samples } from './fixture.js';

const FOREVER = { maxBytes: 0, maxFiles: 0, maxAge: 0 };

class Rig {
  readonly dataDir: string;
  readonly catalog: Catalog;
  readonly log = memoryLog();
  readonly jobs: MergeJob[] = [];
  readonly merged: [number, number][] = [];
  failures = 0;
  mayWrite = true;
  threads = 0;
  /** How long the merger wanted to do nothing, ms. */
  readonly rests: number[] = [];
  /** Stands in for the thread: it merges, or says what a test wants. */
  work: (job: MergeJob) => Promise<MergeReport>;
  readonly merger: Merger;
  now = 0;
  #wake: (() => void) | null = null;
  #resting: Promise<void> = Promise.resolve();
  #rested = () => {};

  private constructor(dataDir: string, catalog: Catalog) {
    this.dataDir = dataDir;
    this.catalog = catalog;
    this.work = (job) =>
      merge(
        {
          dataDir,
          version: '1',
          fs: files,
          disk: quickDisk,
          room: anyRoom,
          encoder: parquetEncoder,
          sealing: SEALING,
        },
        job,
      );
    let running = 0;
    this.merger = new Merger({
      catalog,
      log: { ...this.log, debug: this.log.info },
      mayWrite: () => this.mayWrite,
      startThread: () => {
        this.threads++;
        running++;
        assert.equal(running, 1);
        return {
          run: (job) => {
            this.jobs.push(job);
            this.#resting = new Promise((resolve) => {
              this.#rested = resolve;
            });
            return this.work(job);
          },
          close: async () => {
            running--;
          },
        };
      },
      time: {
        now: () => this.now,
        after: (ms, callback) => {
          this.rests.push(ms);
          this.#rested();
          this.#wake = callback;
          return () => {
            this.#wake = null;
          };
        },
      },
      onMerged: (_stream, count, file) => this.merged.push([count, file.rows]),
      onFailed: () => this.failures++,
    });
  }

  static async make(
    t: TestContext,
    lists: readonly (readonly Sample[])[],
    fs: Partial<CatalogFs> = {},
  ): Promise<Rig> {
    const dataDir = await dataFolder(t);
    for (const [i, rows] of lists.entries()) record(dataDir, rows, { seq: i + 1 });
    const catalog = await Catalog.open({ dataDir, fs: { ...files, ...fs }, log: memoryLog() });
    const rig = new Rig(dataDir, catalog);
    t.after(() => rig.merger.close());
    return rig;
  }

  add(rawBytes = 2 ** 20): void {
    this.merger.add(STREAM, { limits: limitsOf(rawBytes, FOREVER), compression: 'zstd', encrypted: false });
  }

  /** Lets it work until it rests, and ends its rest; false: it has nothing to do. */
  async step(): Promise<boolean> {
    await turn();
    await this.#resting;
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
    return wake !== null;
  }

  async settle(): Promise<void> {
    while (await this.step());
    await this.catalog.idle();
  }

  get seqs(): number[] {
    return this.catalog.files(STREAM).map(({ seq }) => seq);
  }

  paths(): string[] {
    return this.catalog.files(STREAM).map(({ path }) => join(this.dataDir, path));
  }

  async onDisk(): Promise<string[]> {
    const names = await files.readdir(join(this.dataDir, 'streams'), { recursive: true });
    return names.filter((name) => name.includes('parquet')).sort();
  }
}

const count = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

test('many files become one; messages are the same, originals are gone, the thread ends', async (t) => {
  const lists = samples(generator(1), 40);
  const rig = await Rig.make(t, lists);
  rig.add();
  await rig.settle();
  assert.deepEqual(rig.merged, [[40, 200]]);
  assert.deepEqual(rig.seqs, [40]);
  assert.deepEqual(await duckMessages(rig.paths()), messagesOf(lists));
  assert.equal((await rig.onDisk()).length, 1);
  assert.equal(rig.threads, 1);
  assert.equal(rig.failures, 0);
});

test('in the turn in which the new file is listed the others are not; before that nothing changes', async (t) => {
  const rig = await Rig.make(t, samples(generator(2), 20));
  const work = rig.work;
  rig.work = async (job) => {
    assert.deepEqual(rig.seqs, count(20));
    const report = await work(job);
    assert.deepEqual(rig.seqs, count(20));
    return report;
  };
  rig.add();
  await rig.step();
  assert.deepEqual(rig.seqs, [20]);
  assert.equal(rig.catalog.totals(STREAM).rows, 100);
});

test('who reads a file goes on; it is deleted when nobody does, and what replaced it is not merged before', async (t) => {
  const random = generator(3);
  const lists = samples(random, 16);
  const rig = await Rig.make(t, lists);
  const [first] = rig.catalog.files(STREAM);
  const unpin = rig.catalog.pin(first!);
  rig.add();
  await rig.settle();
  assert.deepEqual(rig.seqs, [16]);
  assert.equal((await rig.onDisk()).length, 2);
  assert.deepEqual(await duckMessages([join(rig.dataDir, first!.path)]), messagesOf([lists[0]!]));

  const later = samples(random, 1, 5, DAY + DAY_MICROS)[0]!;
  const beside = samples(random, 1, 5, DAY + 1_000_000)[0]!;
  rig.catalog.add(record(rig.dataDir, beside, { seq: 17 }));
  rig.catalog.add(record(rig.dataDir, later, { seq: 18 }));
  rig.merger.look(STREAM);
  await rig.settle();
  assert.deepEqual(rig.seqs, [16, 17, 18]);
  unpin();
  await rig.catalog.idle();
  rig.merger.look(STREAM);
  await rig.settle();
  assert.deepEqual(rig.seqs, [17, 18]);
  assert.deepEqual(await duckMessages(rig.paths()), messagesOf([...lists, beside, later]));
  assert.equal((await rig.onDisk()).length, 2);
});

test('if one of the files leaves meanwhile, the new one is not listed, and deleted', async (t) => {
  for (const leave of ['retention', 'corrupt'] as const) {
    const rig = await Rig.make(t, samples(generator(4), 20));
    const work = rig.work;
    rig.work = async (job) => {
      const report = await work(job);
      rig.work = async () => ({ kind: 'failed', error: 'not again' });
      if (leave === 'corrupt') await rig.catalog.drop(job.files[7]!, 'a page is torn');
      else void rig.catalog.retain(STREAM, { ...FOREVER, maxFiles: 19 }, DAY);
      return report;
    };
    rig.add();
    await rig.step();
    await rig.catalog.idle();
    assert.equal(rig.catalog.totals(STREAM).files, 19);
    assert.deepEqual(rig.merged, []);
    const left = (await rig.onDisk()).filter((name) => name.endsWith('.parquet'));
    assert.equal(left.length, 19, leave);
    assert.equal(new Set(left.map((name) => name.split('_').at(-1))).size, 19);
  }
});

test('a file that cannot be merged stays; the others are merged around it', async (t) => {
  const lists = samples(generator(5), 60);
  const rig = await Rig.make(t, lists);
  const broken = rig.catalog.files(STREAM)[20]!;
  const whole = await files.readFile(join(rig.dataDir, broken.path));
  await files.writeFile(join(rig.dataDir, broken.path), whole.subarray(0, 200));
  rig.add();
  await rig.settle();
  assert.deepEqual(rig.seqs, [20, 21, 60]);
  assert.deepEqual(rig.merged, [
    [20, 100],
    [39, 195],
  ]);
  await files.writeFile(join(rig.dataDir, broken.path), whole);
  assert.deepEqual(await duckMessages(rig.paths()), messagesOf(lists));
});

test('a merge that fails is tried again, later and later, with another thread', async (t) => {
  const rig = await Rig.make(t, samples(generator(6), 20));
  const work = rig.work;
  rig.work = async () => ({ kind: 'failed', error: 'ENOSPC' });
  rig.add();
  for (let i = 0; i < 12; i++) await rig.step();
  assert.deepEqual(rig.rests.slice(0, 4), [10_000, 20_000, 40_000, 80_000]);
  assert.equal(Math.max(...rig.rests), 3_600_000);
  assert.equal(rig.failures, rig.rests.length);
  assert.equal(rig.threads, rig.jobs.length);
  assert.deepEqual(rig.seqs, count(20));
  rig.work = work;
  await rig.settle();
  assert.deepEqual(rig.seqs, [20]);
  assert.equal(rig.log.lines.filter(({ level }) => level === 'warn').length, rig.failures);
});

test('what a thread has made and did not tell of goes, before anything else is made of the same files', async (t) => {
  const lists = samples(generator(13), 20);
  const rig = await Rig.make(t, lists);
  const work = rig.work;
  rig.work = async (job) => {
    assert.equal((await work({ ...job, files: job.files.slice(0, 18) })).kind, 'merged');
    // One of them leaves: what is made next has another name.
    await rig.catalog.retain(STREAM, { ...FOREVER, maxFiles: 19 }, DAY);
    assert.equal((await rig.onDisk()).length, 20);
    rig.work = work;
    return { kind: 'failed', error: 'the thread ended' };
  };
  rig.add();
  await rig.settle();
  assert.equal(rig.failures, 1);
  assert.deepEqual(rig.seqs, [20]);
  assert.equal((await rig.onDisk()).length, 1);
  assert.deepEqual(await duckMessages(rig.paths()), messagesOf(lists.slice(1)));
});

test('it rests three times as long as it works', async (t) => {
  const rig = await Rig.make(t, samples(generator(7), 40));
  const work = rig.work;
  rig.work = async (job) => {
    rig.now += 700;
    return work(job);
  };
  rig.add(5000);
  await rig.settle();
  assert.ok(rig.rests.length > 1);
  assert.deepEqual([...new Set(rig.rests)], [2100]);
});

test('nothing is merged while nothing may be written that has not to be', async (t) => {
  const rig = await Rig.make(t, samples(generator(12), 20));
  rig.mayWrite = false;
  rig.add();
  await rig.settle();
  assert.equal(rig.jobs.length, 0);
  rig.mayWrite = true;
  rig.merger.look(STREAM);
  await rig.settle();
  assert.deepEqual(rig.seqs, [20]);
});

test('nothing is merged before all files of the stream are known, after it was removed, or closed', async (t) => {
  const rig = await Rig.make(t, samples(generator(8), 20));
  let loading = 1;
  rig.catalog.loading = () => loading;
  rig.add();
  await rig.settle();
  assert.equal(rig.jobs.length, 0);
  loading = 0;
  rig.merger.remove(STREAM);
  rig.merger.look(STREAM);
  await rig.settle();
  assert.equal(rig.jobs.length, 0);
  await rig.merger.close();
  rig.add();
  await rig.settle();
  assert.equal(rig.jobs.length, 0);
  assert.equal(rig.threads, 0);
});

test('closing ends the thread wherever it is', async (t) => {
  const rig = await Rig.make(t, samples(generator(9), 20));
  let answer: (report: MergeReport) => void = () => {};
  const asked = new Promise<void>((resolve) => {
    rig.work = () => {
      resolve();
      return new Promise((done) => {
        answer = done;
      });
    };
  });
  rig.add();
  await asked;
  const closing = rig.merger.close();
  answer({ kind: 'failed', error: 'the thread ended' });
  await closing;
  assert.equal(rig.failures, 0);
  assert.deepEqual(rig.seqs, count(20));
});

test('a file that cannot be read, at the start or later, keeps its place between others: it may be put back', async (t) => {
  const lists = samples(generator(10), 80);
  const rig = await Rig.make(t, lists, {
    open: (path, flags) =>
      path.endsWith('_21.parquet') ? Promise.reject(new Error('EIO: i/o error')) : files.open(path, flags),
  });
  const torn = rig.catalog.files(STREAM).find(({ seq }) => seq === 51)!;
  const bytes = await files.readFile(join(rig.dataDir, torn.path));
  await rig.catalog.drop(torn, 'a page is torn');
  rig.add();
  await rig.settle();
  assert.deepEqual(rig.seqs, [20, 50, 80]);
  await files.writeFile(join(rig.dataDir, torn.path), bytes);
  const again = await Catalog.open({ dataDir: rig.dataDir, fs: files, log: memoryLog() });
  const listed = again.files(STREAM);
  assert.deepEqual(
    listed.map(({ seq }) => seq),
    [20, 21, 50, 51, 80],
  );
  assert.deepEqual(await duckMessages(listed.map(({ path }) => join(rig.dataDir, path))), messagesOf(lists));
});

test('with everything at random the messages are always those of a model, once and in order', async (t) => {
  for (let seed = 1; seed <= 3; seed++) {
    const random = generator(seed);
    const rig = await Rig.make(t, []);
    const work = rig.work;
    const model: Sample[][] = [];
    let key = DAY;
    let seq = 0;
    const unpins: (() => void)[] = [];
    const write = () => {
      const [rows] = samples(random, 1, whole(random, 1, 6), key, 60);
      key = rows!.at(-1)!.message.key;
      if (random() < 0.02) key += DAY_MICROS / 2;
      model.push([...rows!]);
      rig.catalog.add(record(rig.dataDir, rows!, { seq: ++seq, compression: 'none' }));
      rig.merger.look(STREAM);
    };
    const check = async () => {
      const expected: Message[] = messagesOf(model);
      const listed = rig.catalog.files(STREAM);
      const reading = listed.map((file) => rig.catalog.pin(file));
      assert.equal(rig.catalog.totals(STREAM).rows, expected.length);
      for (const [i, file] of listed.entries()) {
        assert.ok(i === 0 || file.firstKey > listed[i - 1]!.lastKey);
      }
      assert.deepEqual(await duckMessages(rig.paths()), expected);
      for (const unpin of reading) unpin();
    };
    // While a file is made others are written, read and deleted.
    rig.work = async (job) => {
      for (let i = whole(random, 0, 3); i > 0; i--) write();
      const report = random() < 0.1 ? ({ kind: 'failed', error: 'EIO' } as const) : await work(job);
      if (random() < 0.2) write();
      return report;
    };
    rig.add(whole(random, 300, 6000));
    for (let i = 0; i < 60; i++) {
      for (let n = whole(random, 1, 6); n > 0; n--) write();
      const listed = rig.catalog.files(STREAM);
      if (random() < 0.3) unpins.push(rig.catalog.pin(listed[whole(random, 0, listed.length - 1)]!));
      if (random() < 0.3) unpins.shift()?.();
      await rig.step();
      if (i % 12 === 11) await check();
    }
    for (const unpin of unpins) unpin();
    rig.work = work;
    await rig.settle();
    await check();
    const { length } = rig.catalog.files(STREAM);
    assert.ok(length < seq, `${length} of ${seq}`);
    assert.equal((await rig.onDisk()).length, length);
    await rig.merger.close();
  }
});

test('the real thread merges, and one that has ended fails instead of hanging', async (t) => {
  const lists = samples(generator(11), 16);
  const rig = await Rig.make(t, lists);
  const thread = new MergeThread({
    dataDir: rig.dataDir,
    version: '1.2.3',
    nice: 0,
    reserve: 0,
    keys: SEALING.keyring.keys,
    sentOpen: false,
    modules: {},
  });
  t.after(() => thread.close());
  const job = {
    stream: STREAM,
    compression: 'snappy' as const,
    encrypted: false,
    rawBytes: 2 ** 20,
    files: rig.catalog.files(STREAM),
  };
  const report = await thread.run(job);
  assert.ok(report.kind === 'merged' && report.count === 16);
  assert.deepEqual(await duckMessages([join(rig.dataDir, report.file.path)]), messagesOf(lists));
  const running = thread.run(job);
  await thread.close();
  for (const late of [await running, await thread.run(job)]) {
    assert.ok(late.kind === 'failed' && /ended: exit code/.test(late.error));
  }
});

import assert from 'node:assert/strict';
import { SAVE_EVERY } from '../../src/clock/store.js';
import type { Gap } from '../../src/exchange/gaps.js';
import { Stream } from '../../src/exchange/stream.js';
import { Merger } from '../../src/merge/merger.js';
import { limitsOf } from '../../src/merge/plan.js';
import type { CommittedFile } from '../../src/recorder/file.js';
import type { Report, Restored } from '../../src/recorder/protocol.js';
import type { DiskPolicy } from '../../src/streams/disk-policy.js';
import { Intake } from './intake.js';
import { diskPolicy } from './making-room.js';
import { MergeThread } from './merge-thread.js';
import { type Opened, open } from './opening.js';
import { Recording } from './recording.js';
import type { Surroundings } from './setup.js';
import { Word } from './word.js';

const ALWAYS = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

/** One process from its start to its end: all that has a hand in a stream's files, tied together as `Streams` does. */
export class Life {
  readonly #around: Surroundings;
  readonly #opened: Opened;
  readonly #stream: Stream;
  readonly #intake: Intake;
  readonly #recording: Recording;
  readonly #word: Word;
  readonly #policy: DiskPolicy;
  readonly #merger: Merger;
  #mergeThread: MergeThread | null = null;
  readonly #deletions: Promise<unknown>[] = [];
  /** All that earlier processes left is in files. */
  restored = false;
  #savedAt: number;
  #requests = 0;

  private constructor(around: Surroundings, opened: Opened) {
    const { gapLedger, ledger, ring, stream, time } = around;
    const { catalog, clock, gapLogs, timers } = opened;
    const { name } = stream;
    this.#around = around;
    this.#opened = opened;
    this.#savedAt = time.uptime;
    this.#stream = new Stream({ name, topics: ['#'], exclude: [], ring }, gapLogs.of(name));
    this.#intake = new Intake(around, clock, this.#stream);
    this.#word = new Word(ledger, stream, this.#intake.keys, () => timers.now());
    this.#recording = new Recording(
      around,
      clock,
      this.#stream.ring,
      catalog.nextSeq(name),
      (report) => this.#read(report),
      (lost) => this.#replaced(lost),
    );
    this.#policy = diskPolicy(around, opened, this.#stream, () =>
      this.#recording.post({ kind: 'retry', stream: name }),
    );
    this.#merger = this.#newMerger();
    ledger.begin();
    gapLedger.begin();
    gapLogs.begin(this.#stream);
    // What is there again is no gap any more.
    for (const { firstKey } of catalog.files(name)) gapLedger.withdraw(firstKey, 'deleted');
    this.#stream.recovering = true;
    this.retain();
  }

  /** null: it ended before it was ready. */
  static async start(around: Surroundings): Promise<Life | null> {
    const opened = await open(around);
    if (opened === null) return null;
    const life = new Life(around, opened);
    // What the process before may have lost is written down first: this one's messages would tell that nothing is missing.
    const saved = await life.saveGaps();
    if (!saved && !around.disk.dead) around.ledger.forgive();
    return life;
  }

  /** Paths of the files that are served, relative to the data folder. */
  served(): string[] {
    return this.#opened.catalog.files(this.#stream.name).map(({ path }) => path);
  }

  /** What is told of messages that are missing. */
  gaps(): Gap[] {
    this.#opened.complaints.check();
    return this.#stream.gapsWithin(ALWAYS);
  }

  /** Keys of the messages that are in no file. */
  unwritten(): number[] {
    return this.#intake.unwritten();
  }

  /** A merged file is made just now, or was when the power was cut. */
  get merging(): boolean {
    return this.#mergeThread?.writing ?? false;
  }

  capture(count: number, awaited: boolean): void {
    this.#intake.capture(count, awaited);
  }

  /** The recorder does one thing. */
  turn(): void {
    this.#recording.turn();
    if (!this.#around.disk.dead) this.#word.age();
  }

  /** The thread that makes files makes one, if one was begun. */
  make(): void {
    this.#recording.make();
  }

  /** The recorder does all there is to do now. */
  settle(): void {
    this.#recording.settle();
    if (this.#around.disk.dead) return;
    this.#word.age();
    this.#word.written(this.#intake.keys.length);
  }

  poison(): void {
    this.#recording.poison();
  }

  /** Time passes; the state of the clock is written when it is due. */
  async pass(ms: number): Promise<void> {
    const { time } = this.#around;
    time.advance(ms * 1000);
    this.#opened.timers.run();
    if (time.uptime - this.#savedAt >= SAVE_EVERY) await this.save(false);
  }

  /** The state of the clock. */
  async save(clean: boolean): Promise<void> {
    this.#savedAt = this.#around.time.uptime;
    await this.#opened.store.save(clean).catch((error: unknown) => this.#expected(error));
  }

  /** What is missing is written down, as when somebody waits for that. */
  async saveGaps(): Promise<boolean> {
    const { disk, gapLedger } = this.#around;
    const { gapLogs } = this.#opened;
    const { name } = this.#stream;
    const before = gapLogs
      .of(name)
      .known()
      .gaps.map((gap) => ({ ...gap }));
    if (!(await gapLogs.saved(name)) || disk.dead) return false;
    const now = new Set(
      gapLogs
        .of(name)
        .known()
        .gaps.map((gap) => JSON.stringify(gap)),
    );
    gapLedger.save(before.filter((gap) => now.has(JSON.stringify(gap))));
    return true;
  }

  flush(): void {
    const stream = this.#stream.name;
    this.#recording.post({ kind: 'flush', id: ++this.#requests, stream, reason: 'request' });
  }

  /** Deletions go on behind. */
  retain(): void {
    const { disk, ledger, retention } = this.#around;
    const { catalog, clock, gapLogs } = this.#opened;
    const { name } = this.#stream;
    const before = catalog.files(name);
    const deletion = catalog.retain(name, retention, clock.now()).then((files) => {
      if (files.length > 0 && !disk.dead)
        gapLogs.of(name).forget(Math.max(...files.map(({ lastKey }) => lastKey)));
    });
    this.#deletions.push(deletion);
    const kept = new Set(catalog.files(name));
    for (const file of before) if (!kept.has(file)) ledger.retire(file);
  }

  /** The end as it should be. */
  async close(): Promise<void> {
    const { catalog, gapLogs } = this.#opened;
    const merged = this.#merger.close();
    this.#recording.stop();
    await merged;
    await this.ended();
    await catalog.close();
    const saved = await gapLogs.close();
    await this.save(saved && this.unwritten().length === 0);
  }

  /** No file is being deleted any more. */
  async ended(): Promise<void> {
    await Promise.all(this.#deletions);
    await this.#opened.catalog.idle();
  }

  #newMerger(): Merger {
    const { catalog, complaints, timers } = this.#opened;
    const { stats } = this.#stream;
    return new Merger({
      catalog,
      log: complaints.log,
      startThread: () => {
        this.#mergeThread = new MergeThread(this.#around);
        return this.#mergeThread;
      },
      mayWrite: () => this.#policy.failure === null && !stats.overBudget,
      time: timers,
      onMerged: (stream, count, { bytes }) => {
        stats.filesMerged += count;
        this.#around.ledger.merged += count;
        this.#recording.post({ kind: 'wrote', stream, bytes });
      },
      onFailed: () => {},
    });
  }

  #read(report: Report): void {
    const { failing } = this.#around;
    switch (report.kind) {
      case 'committed':
        this.#committed(report.file, report.upTo);
        return;
      case 'safe':
        this.#word.safe(report.upTo);
        return;
      case 'restored':
        this.#restored(report);
        return;
      case 'failed':
        assert.ok(failing, report.error);
        if (report.what === 'journal') this.#word.journalFailed();
        this.#policy.failed(report.what, report.error, report.full);
        return;
      case 'recovered':
        if (report.what === 'journal') this.#word.journalWorks();
        this.#policy.recovered(report.what);
        return;
      case 'no-room':
        this.#policy.noRoom();
        return;
      case 'budget':
        this.#stream.stats.overBudget = report.exhausted;
        this.#word.budget(report.exhausted);
        return;
      case 'undone':
        assert.ok(failing, report.error);
        return;
      case 'stopped':
        if (!failing) assert.deepEqual(report.unwritten, []);
        return;
      default:
    }
  }

  #committed(file: CommittedFile, upTo: number): void {
    const { firstKey, lastKey, rows } = file;
    const { name } = this.#stream;
    const keys = this.#intake.between(this.#stream.ring.committed, upTo);
    assert.deepEqual([keys.length, keys[0], keys.at(-1)], [rows, firstKey, lastKey]);
    this.#around.ledger.promise(keys);
    this.#word.committed();
    this.#recording.hold.committed(file);
    this.#opened.catalog.add({ ...file, stream: name });
    this.#stream.committed(upTo, lastKey);
    this.retain();
    this.#merger.look(name);
  }

  #restored(found: Restored): void {
    const { file, left, unreadable } = found;
    const { mergeBelow, retention, stream } = this.#around;
    const { name } = stream;
    if (file !== null) {
      this.#recording.hold.committed(file);
      this.#opened.catalog.add({ ...file, stream: name });
    }
    if (unreadable) this.#around.ledger.loosenEarlier();
    if (this.#stream.recovering) this.#opened.gapLogs.restored(name, found);
    if (left > 0) return;
    this.restored = true;
    this.#stream.restored();
    this.#stream.recovering = false;
    const encrypted = stream.encryption?.enabled ?? false;
    if (mergeBelow > 0) {
      const limits = limitsOf(mergeBelow, retention);
      this.#merger.add(name, { limits, compression: 'none', encrypted });
    }
    this.retain();
  }

  #replaced(lost: number): void {
    const complete = !this.#policy.fails('journal') && !this.#stream.stats.overBudget;
    if (this.#around.stream.durability !== 'none') this.#stream.recorderReplaced(complete);
    else if (lost > 0) this.#stream.recorderLost();
    this.#intake.replaced(complete && lost === 0);
    this.#policy.restart();
    this.#stream.stats.overBudget = false;
    this.#word.restarted();
    this.restored = false;
    this.#merger.remove(this.#stream.name);
  }

  #expected(error: unknown): void {
    const { disk, failing } = this.#around;
    if (!disk.dead && !failing) throw error;
  }
}

import assert from 'node:assert/strict';
import { Stream } from '../../src/exchange/stream.js';
import { Merger } from '../../src/merge/merger.js';
import { limitsOf } from '../../src/merge/plan.js';
import type { CommittedFile } from '../../src/recorder/files/writer.js';
import type { Report, Restored } from '../../src/recorder/protocol.js';
import type { DiskPolicy } from '../../src/streams/disk-policy.js';
import { Intake } from './intake.js';
import { diskPolicy } from './making-room.js';
import { MergeThread } from './merge-thread.js';
import type { Opened } from './opening.js';
import { Recording } from './recording.js';
import type { Surroundings } from './setup.js';
import { Word } from './word.js';

/** A stream of a process with all that has a hand in its files: they hear of each other as in `Streams`. */
export class Streaming {
  readonly stream: Stream;
  readonly intake: Intake;
  readonly recording: Recording;
  readonly merger: Merger;
  readonly word: Word;
  readonly #around: Surroundings;
  readonly #opened: Opened;
  /** There may be more files than are to be kept. */
  readonly #filed: () => void;
  readonly #policy: DiskPolicy;
  #mergeThread: MergeThread | null = null;
  /** All that earlier processes left is in files. */
  restored = false;

  constructor(around: Surroundings, opened: Opened, filed: () => void) {
    const { ledger, ring, stream } = around;
    const { catalog, clock, gapLogs, timers } = opened;
    const { name } = stream;
    this.#around = around;
    this.#opened = opened;
    this.#filed = filed;
    this.stream = new Stream({ name, topics: ['#'], exclude: [], ring }, gapLogs.of(name));
    this.intake = new Intake(around, clock, this.stream);
    this.word = new Word(ledger, stream, this.intake.keys, () => timers.now());
    const read = (report: Report) => this.#read(report);
    const replaced = (lost: number) => this.#replaced(lost);
    this.recording = new Recording(around, clock, this.stream.ring, catalog.nextSeq(name), read, replaced);
    const retry = () => this.recording.post({ kind: 'retry', stream: name });
    this.#policy = diskPolicy(around, opened, this.stream, retry);
    this.merger = this.#newMerger();
    gapLogs.begin(this.stream);
    this.stream.recovering = true;
  }

  /** A merged file is made just now, or was when the power was cut. */
  get merging(): boolean {
    return this.#mergeThread?.writing ?? false;
  }

  #newMerger(): Merger {
    const { catalog, complaints, timers } = this.#opened;
    const { stats } = this.stream;
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
        this.recording.post({ kind: 'wrote', stream, bytes });
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
        this.word.safe(report.upTo);
        return;
      case 'restored':
        this.#restored(report);
        return;
      case 'failed':
        assert.ok(failing, report.error);
        if (report.what === 'journal') this.word.journalFailed();
        this.#policy.failed(report.what, report.error, report.full);
        return;
      case 'recovered':
        if (report.what === 'journal') this.word.journalWorks();
        this.#policy.recovered(report.what);
        return;
      case 'no-room':
        this.#policy.noRoom();
        return;
      case 'budget':
        this.stream.stats.overBudget = report.exhausted;
        this.word.budget(report.exhausted);
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
    const { name } = this.stream;
    const keys = this.intake.between(this.stream.ring.committed, upTo);
    assert.deepEqual([keys.length, keys[0], keys.at(-1)], [rows, firstKey, lastKey]);
    this.#around.ledger.promise(keys);
    this.word.committed();
    this.recording.hold.committed(file);
    this.#opened.catalog.add({ ...file, stream: name });
    this.stream.committed(upTo, lastKey);
    this.#filed();
    this.merger.look(name);
  }

  #restored(found: Restored): void {
    const { file, left, unreadable } = found;
    const { mergeBelow, retention, stream } = this.#around;
    const { name } = stream;
    if (file !== null) {
      this.recording.hold.committed(file);
      this.#opened.catalog.add({ ...file, stream: name });
    }
    if (unreadable) this.#around.ledger.loosenEarlier();
    if (this.stream.recovering) this.#opened.gapLogs.restored(name, found);
    if (unreadable) void this.#noteMissing();
    if (left > 0) return;
    this.restored = true;
    this.stream.recovering = false;
    const encrypted = stream.encryption?.enabled ?? false;
    if (mergeBelow > 0) {
      const limits = limitsOf(mergeBelow, retention);
      this.merger.add(name, { limits, compression: 'none', encrypted });
    }
    this.#filed();
  }

  async #noteMissing(): Promise<void> {
    const { name } = this.stream;
    if ((await this.#opened.gapLogs.saved(name)) && !this.#around.disk.dead)
      this.recording.post({ kind: 'noted', stream: name });
  }

  #replaced(lost: number): void {
    if (this.#around.stream.durability !== 'none') this.stream.recorderReplaced();
    else if (lost > 0) this.stream.recorderLost();
    this.intake.replaced();
    this.#policy.restart();
    this.stream.stats.overBudget = false;
    this.word.restarted();
    this.restored = false;
    this.merger.remove(this.stream.name);
  }
}

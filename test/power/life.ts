import { SAVE_EVERY } from '../../src/clock/store.js';
import type { Gap } from '../../src/exchange/gaps.js';
import { type Opened, open } from './opening.js';
import type { Surroundings } from './setup.js';
import { Streaming } from './streaming.js';

/** How often the recorder does one thing beside a step of what is asynchronous. */
const TURNS = 0.1;
const ALWAYS = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

/** One process from its start to its end, and what it is made to do. */
export class Life {
  readonly #around: Surroundings;
  readonly #opened: Opened;
  readonly #streaming: Streaming;
  readonly #deletions: Promise<unknown>[] = [];
  /** What was missing was on the disk once. */
  recorded = false;
  #savedAt: number;
  #requests = 0;

  private constructor(around: Surroundings, opened: Opened) {
    const { gapLedger, ledger, stream, time } = around;
    this.#around = around;
    this.#opened = opened;
    this.#savedAt = time.uptime;
    ledger.begin();
    gapLedger.begin();
    this.#streaming = new Streaming(around, opened, () => this.retain());
    // What is there again is no gap any more.
    for (const { firstKey } of opened.catalog.files(stream.name)) gapLedger.withdraw(firstKey, 'deleted');
    this.retain();
  }

  /** null: it ended before it was ready. */
  static async start(around: Surroundings): Promise<Life | null> {
    const opened = await open(around);
    if (opened === null) return null;
    const life = new Life(around, opened);
    // What the process before may have lost is written down first: this one's messages would tell that nothing is missing.
    let ended = false;
    const saving = life.saveGaps().finally(() => {
      ended = true;
    });
    while (!ended) {
      // The recorder does not wait for that.
      if (around.random() < TURNS) life.turn();
      await null;
    }
    await saving;
    return life;
  }

  /** Paths of the files that are served, relative to the data folder. */
  served(): string[] {
    return this.#opened.catalog.files(this.#streaming.stream.name).map(({ path }) => path);
  }

  /** What is told of messages that are missing. */
  gaps(): Gap[] {
    this.#opened.complaints.check();
    return this.#streaming.stream.gapsWithin(ALWAYS);
  }

  /** Keys of the messages that are in no file. */
  unwritten(): number[] {
    return this.#streaming.intake.unwritten();
  }

  /** All that earlier processes left is in files. */
  get restored(): boolean {
    return this.#streaming.restored;
  }

  /** See `Streaming`. */
  get merging(): boolean {
    return this.#streaming.merging;
  }

  capture(count: number, awaited: boolean): void {
    this.#streaming.intake.capture(count, awaited);
  }

  /** The recorder does one thing. */
  turn(): void {
    this.#streaming.recording.turn();
    if (!this.#around.disk.dead) this.#streaming.word.age();
  }

  /** The thread that makes files makes one, if one was begun. */
  make(): void {
    this.#streaming.recording.make();
  }

  /** The recorder does all there is to do now. */
  settle(): void {
    this.#streaming.recording.settle();
    if (this.#around.disk.dead) return;
    this.#streaming.word.age();
    this.#streaming.word.written(this.#streaming.intake.keys.length);
  }

  poison(): void {
    this.#streaming.recording.poison();
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

  /** What is missing is written down, as when somebody waits for that. False: it could not be. */
  async saveGaps(): Promise<boolean> {
    const { disk, gapLedger } = this.#around;
    const { gapLogs } = this.#opened;
    const { gaps, name } = this.#streaming.stream;
    const texts = () => gaps.known().gaps.map((gap) => JSON.stringify(gap));
    const before = texts();
    if (!(await gapLogs.saved(name)) || disk.dead) return false;
    const still = new Set(texts());
    this.recorded = true;
    gapLedger.save(before.filter((text) => still.has(text)).map((text) => JSON.parse(text) as Gap));
    return true;
  }

  flush(): void {
    const stream = this.#streaming.stream.name;
    this.#streaming.recording.post({ kind: 'flush', id: ++this.#requests, stream, reason: 'request' });
  }

  /** Deletions go on behind. */
  retain(): void {
    const { disk, ledger, retention } = this.#around;
    const { catalog, clock, gapLogs } = this.#opened;
    const { name } = this.#streaming.stream;
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
    const merged = this.#streaming.merger.close();
    this.#streaming.recording.stop();
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

  #expected(error: unknown): void {
    const { disk, failing } = this.#around;
    if (!disk.dead && !failing) throw error;
  }
}

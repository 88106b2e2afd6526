import assert from 'node:assert/strict';
import { Catalog } from '../../src/catalog/catalog.js';
import type { Retention } from '../../src/catalog/retention.js';
import type { Clock } from '../../src/clock/clock.js';
import { ClockStore, SAVE_EVERY } from '../../src/clock/store.js';
import { FileMaker } from '../../src/recorder/files/maker.js';
import { StreamHold } from '../../src/recorder/hold.js';
import { lastJournalKey } from '../../src/recorder/journal/last-key.js';
import { RecorderLoop } from '../../src/recorder/loop.js';
import { type Encoder, isPoison } from '../../src/recorder/parquet.js';
import type { Control, RecordedStream, Report } from '../../src/recorder/protocol.js';
import { Room } from '../../src/recorder/room.js';
import { Timeline } from '../../src/recorder/timeline.js';
import { allocateRing } from '../../src/ring/layout.js';
import { RingWriter } from '../../src/ring/writer.js';
import type { FakeTime } from '../clock/machine.js';
import { RigFiles } from '../recorder/rig-files.js';
import { keyringOf } from '../seal/keys.js';
import type { Ledger } from './ledger.js';
import type { PowerDisk } from './power-disk.js';
import { journalFiles, promises } from './promises.js';
import { messageOf } from './rows.js';

export const DATA_DIR = '/data';
const RING_MESSAGES = 256;
const RING_BYTES = 64 * 1024;
/** More than there can be to do at one time. */
const MOST_TURNS = 10_000;

/** What a healthy disk lets nobody say, however often its power was cut. */
const COMPLAINTS = /corrupt|overlap|keys of one range|not readable|could not|cannot|stays|left alone/;
/** What even a failing one does not. */
const FAULTS = /corrupt|keys of one range|not readable/;

export interface Surroundings {
  readonly disk: PowerDisk;
  readonly time: FakeTime;
  readonly ledger: Ledger;
  readonly stream: RecordedStream;
  readonly retention: Retention;
  readonly encoder: Encoder;
  /** Files are made while the recorder does other things. */
  readonly deferred: boolean;
  /** The disk fails now and then: errors are to be expected. */
  readonly failing: boolean;
}

/** Messages before this sequence were with the operating system at this time, ms. */
interface Written {
  readonly upTo: number;
  readonly at: number;
}

/** One process from its start to its end: catalogue, clock and recorder, tied together as the application does. */
export class Life {
  readonly #around: Surroundings;
  readonly #catalog: Catalog;
  readonly #clock: Clock;
  readonly #store: ClockStore;
  readonly #ring = new RingWriter(allocateRing(RING_MESSAGES, RING_BYTES));
  readonly #hold: StreamHold;
  #loop: RecorderLoop;
  #files!: RigFiles;
  readonly #controls: Control[] = [];
  /** Of all messages, by sequence. */
  readonly #keys: number[] = [];
  readonly #deletions: Promise<unknown>[] = [];
  /** All that earlier processes left is in files. */
  restored = false;
  /** What is to be synced before it is older than the interval; oldest first. */
  #written: Written[] = [];
  #journalFails = false;
  /** Those who waited for messages before this sequence were told that they are safe. */
  #toldUpTo = 0;
  #poisoned = false;
  #stopped = false;
  #savedAt: number;
  #waits = 0;
  #requests = 0;

  private constructor(around: Surroundings, catalog: Catalog, clock: Clock, store: ClockStore) {
    const { ledger, stream, time } = around;
    this.#around = around;
    this.#catalog = catalog;
    this.#clock = clock;
    this.#store = store;
    this.#savedAt = time.uptime;
    this.#hold = new StreamHold(stream, this.#ring, catalog.nextSeq(stream.name));
    this.#loop = this.#begin();
    ledger.begin();
  }

  /** Another recorder, which goes on where the one before has ended. */
  #begin(): RecorderLoop {
    const { disk, encoder, time } = this.#around;
    this.#controls.length = 0;
    this.#controls.push(this.#hold.control());
    const clock = this.#clock;
    const room = new Room(disk, DATA_DIR, 0);
    const sealing = { keyring: keyringOf('a'), sentOpen: false };
    const maker = new FileMaker({
      disk,
      room,
      encoder: {
        encode: (...given) => {
          if (!this.#poisoned) return encoder.encode(...given);
          this.#poisoned = false;
          throw Object.assign(new Error('unreachable'), { name: 'RuntimeError' });
        },
      },
      dataDir: DATA_DIR,
      bootId: time.bootId,
      version: '1',
      sealing,
    });
    this.#files = new RigFiles(maker, () => room.openReserve());
    this.#files.deferred = this.#around.deferred;
    return new RecorderLoop({
      disk,
      room,
      files: this.#files,
      sealing,
      dataDir: DATA_DIR,
      timeline: new Timeline(clock.base, clock.corrections),
      bed: {
        mark: () => 0,
        nap: (_mark, ms) => this.#wait(ms),
        sleep: (_mark, ms, pending) => {
          if (!pending()) this.#wait(ms);
        },
      },
      now: () => this.#now(),
      receive: () => this.#controls.shift(),
      post: (report) => {
        // What comes after the cut reaches nobody.
        if (!disk.dead) this.#read(report);
      },
    });
  }

  /** null: it ended before it was ready. */
  static async start(around: Surroundings): Promise<Life | null> {
    const { disk, failing, time } = around;
    const fs = promises(disk);
    const note = (fields: object, message: string) => {
      if (!disk.dead && (failing ? FAULTS : COMPLAINTS).test(message)) {
        complaints.push(`${message}: ${JSON.stringify(fields)}`);
      }
    };
    const complaints: string[] = [];
    const log = { info: () => {}, warn: note, error: note };
    try {
      const catalog = await Catalog.open({ dataDir: DATA_DIR, fs, log });
      const known = {
        maxKey: catalog.maxKey(),
        journalKey: () => lastJournalKey(DATA_DIR, journalFiles(disk)),
        corrections: () => [],
      };
      const { clock, store } = await ClockStore.open(DATA_DIR, time, fs, known, log);
      return disk.dead ? null : new Life(around, catalog, clock, store);
    } catch (error) {
      if (disk.dead || failing) return null;
      throw error;
    } finally {
      assert.deepEqual(complaints, []);
    }
  }

  /** Paths of the files that are served, relative to the data folder. */
  served(): string[] {
    return this.#catalog.files(this.#around.stream.name).map(({ path }) => path);
  }

  /** Keys of the messages that are in no file. */
  unwritten(): number[] {
    return this.#keys.slice(this.#ring.committed);
  }

  /** So many messages come, if there is room; `awaited`: somebody waits until they are safe. */
  capture(count: number, awaited: boolean): void {
    for (; count > 0; count--) {
      const key = this.#clock.next();
      const { payload, properties, qos, retain, source } = messageOf(key);
      const props = properties === null ? null : Buffer.from(properties);
      if (!this.#ring.fits(source, props?.length ?? 0, payload.length)) break;
      this.#around.ledger.give(key);
      this.#keys.push(key);
      this.#ring.append(key, source, qos, retain, props, payload);
    }
    this.#ring.publish(awaited);
  }

  /** The recorder does one thing. */
  turn(): void {
    this.#work(() => this.#loop.turn());
    if (!this.#around.disk.dead) this.#age();
  }

  /** The thread that makes files makes one, if one was begun. */
  make(): void {
    this.#work(() => this.#files.make());
  }

  #work(work: () => void): void {
    const { disk } = this.#around;
    try {
      work();
    } catch (error) {
      if (disk.dead) return;
      if (!isPoison(error)) throw error;
      assert.equal(this.#hold.reclaim(), 0);
      // What was not synced by then the next one writes again.
      this.#written = [];
      this.restored = false;
      this.#loop = this.#begin();
    }
  }

  /** The encoder is beyond use when it is needed next. */
  poison(): void {
    this.#poisoned = true;
  }

  /** The recorder does all there is to do now. */
  settle(): void {
    const { disk } = this.#around;
    let turns = 0;
    for (const before = this.#waits; this.#waits === before && !disk.dead; ) {
      assert.ok(turns++ < MOST_TURNS, 'the recorder finds work without end');
      this.turn();
    }
    if (!disk.dead) this.#note(this.#keys.length);
  }

  /** Time passes; the state of the clock is written when it is due. */
  async pass(ms: number): Promise<void> {
    const { time } = this.#around;
    time.advance(ms * 1000);
    if (time.uptime - this.#savedAt >= SAVE_EVERY) await this.save(false);
  }

  async save(clean: boolean): Promise<void> {
    this.#savedAt = this.#around.time.uptime;
    await this.#store.save(clean).catch((error: unknown) => this.#expected(error));
  }

  flush(): void {
    const { name } = this.#around.stream;
    this.#controls.push({ kind: 'flush', id: ++this.#requests, stream: name, reason: 'request' });
  }

  /** Deletions go on behind. */
  retain(): void {
    const { ledger, retention, stream } = this.#around;
    const before = this.#catalog.files(stream.name);
    this.#deletions.push(this.#catalog.retain(stream.name, retention, this.#clock.now()));
    const kept = new Set(this.#catalog.files(stream.name));
    for (const file of before) if (!kept.has(file)) ledger.retire(file);
  }

  /** The end as it should be. */
  async close(): Promise<void> {
    for (let told: RecorderLoop | null = null; !this.#stopped && !this.#around.disk.dead; this.turn()) {
      if (told !== this.#loop) this.#controls.push({ kind: 'stop' });
      told = this.#loop;
    }
    await this.ended();
    await this.save(true);
  }

  /** Nothing goes on any more. */
  async ended(): Promise<void> {
    await Promise.all(this.#deletions);
  }

  #read(report: Report): void {
    const { failing, ledger, stream } = this.#around;
    switch (report.kind) {
      case 'committed': {
        const keys = this.#keys.slice(this.#ring.committed, report.upTo);
        const { firstKey, lastKey, rows } = report.file;
        assert.deepEqual([keys.length, keys[0], keys.at(-1)], [rows, firstKey, lastKey]);
        ledger.promise(keys);
        this.#hold.committed(report.file);
        this.#catalog.add({ ...report.file, stream: stream.name });
        this.#ring.commit(report.upTo);
        this.retain();
        return;
      }
      case 'safe': {
        const keys = this.#keys.slice(0, report.upTo);
        assert.equal(keys.length, report.upTo);
        if (stream.durability === 'strict') ledger.promise(keys);
        else if (!this.#journalFails) ledger.hand(keys);
        this.#toldUpTo = report.upTo;
        this.#note(report.upTo);
        return;
      }
      case 'restored':
        if (report.file !== null) {
          this.#hold.committed(report.file);
          this.#catalog.add({ ...report.file, stream: stream.name });
        }
        if (report.unreadable) ledger.tellMissing();
        if (report.left > 0) return;
        this.restored = true;
        this.retain();
        return;
      case 'failed':
        assert.ok(failing, report.error);
        if (report.what !== 'journal') return;
        this.#journalFails = true;
        // A sync that fails leaves in doubt what the system has.
        ledger.unhand();
        return;
      case 'recovered':
        if (report.what !== 'journal') return;
        this.#journalFails = false;
        this.#written = this.#written.map(({ upTo }) => ({ upTo, at: this.#now() }));
        if (stream.durability !== 'none') ledger.hand(this.#keys.slice(0, this.#toldUpTo));
        return;
      case 'undone':
        assert.ok(failing, report.error);
        return;
      case 'stopped':
        this.#stopped = true;
        if (!failing) assert.deepEqual(report.unwritten, []);
        return;
      default:
    }
  }

  /** Monotonic, ms. */
  #now(): number {
    return this.#around.time.uptime / 1000;
  }

  #wait(ms: number): void {
    if (this.#files.make()) return;
    // There was nothing to do: were there something now, the recorder would never sleep.
    assert.ok(ms > 0, 'the recorder waits for something that it does not do');
    this.#waits++;
  }

  #note(upTo: number): void {
    if (this.#around.stream.durability === 'interval') this.#written.push({ upTo, at: this.#now() });
  }

  /** What the interval promises: what is older is synced. */
  #age(): void {
    const { ledger, stream } = this.#around;
    if (this.#journalFails) return;
    const before = this.#now() - stream.syncInterval;
    let upTo = 0;
    while (this.#written.length > 0 && this.#written[0]!.at <= before) upTo = this.#written.shift()!.upTo;
    ledger.promise(this.#keys.slice(0, upTo));
  }

  #expected(error: unknown): void {
    const { disk, failing } = this.#around;
    if (!disk.dead && !failing) throw error;
  }
}

import assert from 'node:assert/strict';
import type { Clock } from '../../src/clock/clock.js';
import { FileMaker } from '../../src/recorder/files/maker.js';
import { isPoison } from '../../src/recorder/files/parquet.js';
import { StreamHold } from '../../src/recorder/hold.js';
import { RecorderLoop } from '../../src/recorder/loop.js';
import type { Control, Report } from '../../src/recorder/protocol.js';
import { Room } from '../../src/recorder/room.js';
import { Timeline } from '../../src/recorder/timeline.js';
import type { RingWriter } from '../../src/ring/writer.js';
import { RigFiles } from '../recorder/rig-files.js';
import { DATA_DIR, type Surroundings } from './setup.js';

/** More than there can be to do at one time. */
const MOST_TURNS = 10_000;

/** The recorder's threads, a turn at a time; when they end, others go on where they have ended. */
export class Recording {
  readonly hold: StreamHold;
  readonly #around: Surroundings;
  readonly #clock: Clock;
  readonly #report: (report: Report) => void;
  readonly #replaced: (lost: number) => void;
  readonly #controls: Control[] = [];
  #loop: RecorderLoop;
  #files!: RigFiles;
  #stopped = false;
  #poisoned = false;
  #waits = 0;

  constructor(
    around: Surroundings,
    clock: Clock,
    ring: RingWriter,
    seq: number,
    report: (report: Report) => void,
    replaced: (lost: number) => void,
  ) {
    this.#around = around;
    this.#clock = clock;
    this.#report = report;
    this.#replaced = replaced;
    this.hold = new StreamHold(around.stream, ring, seq);
    this.#loop = this.#begin();
  }

  post(control: Control): void {
    this.#controls.push(control);
  }

  /** The encoder is beyond use when it is needed next. */
  poison(): void {
    this.#poisoned = true;
  }

  /** It does one thing. */
  turn(): void {
    this.#work(() => this.#loop.turn());
  }

  /** The thread that makes files makes one, if one was begun. */
  make(): void {
    this.#work(() => this.#files.make());
  }

  /** It comes to its end in order. */
  stop(): void {
    for (let told: RecorderLoop | null = null; !this.#stopped && !this.#around.disk.dead; this.turn()) {
      if (told !== this.#loop) this.post({ kind: 'stop' });
      told = this.#loop;
    }
  }

  #work(work: () => void): void {
    const { disk } = this.#around;
    try {
      work();
    } catch (error) {
      if (disk.dead) return;
      if (!isPoison(error)) throw error;
      const lost = this.hold.reclaim();
      this.#loop = this.#begin();
      this.#replaced(lost);
    }
  }

  /** It does all there is to do now. */
  settle(): void {
    const { disk } = this.#around;
    let turns = 0;
    for (const before = this.#waits; this.#waits === before && !disk.dead; ) {
      assert.ok(turns++ < MOST_TURNS, 'the recorder finds work without end');
      this.turn();
    }
  }

  #begin(): RecorderLoop {
    const { disk, encoder, keyring, reserve, time } = this.#around;
    this.#controls.length = 0;
    this.#controls.push(this.hold.control());
    const clock = this.#clock;
    const room = new Room(disk, DATA_DIR, reserve);
    const sealing = { keyring, sentOpen: false };
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
      now: () => time.uptime / 1000,
      receive: () => this.#controls.shift(),
      post: (report) => {
        // What comes after the cut reaches nobody.
        if (disk.dead) return;
        if (report.kind === 'stopped') this.#stopped = true;
        this.#report(report);
      },
    });
  }

  #wait(ms: number): void {
    if (this.#files.make()) return;
    // There was nothing to do: were there something now, the recorder would never sleep.
    assert.ok(ms > 0, 'the recorder waits for something that it does not do');
    this.#waits++;
  }
}

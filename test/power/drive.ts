import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { generator } from '../catalog/generator.js';
import { DAY, FakeTime, HOUR, SECOND, TODAY } from '../clock/machine.js';
import { keyringOf } from '../seal/keys.js';
import { GapLedger } from './gap-ledger.js';
import { isServed, Ledger } from './ledger.js';
import { Life } from './life.js';
import { PowerDisk } from './power-disk.js';
import { DATA_DIR, type Setup } from './setup.js';

export interface Plan extends Setup {
  /** The power is cut within so many steps of a start. */
  readonly steps: number;
  /** Of an operation to fail while the disk has its moments. */
  readonly faults?: number;
  /** The disk has no room now and then. */
  readonly fills?: boolean;
  /** How often it starts again shortly before midnight. */
  readonly midnights: number;
  /** Milliseconds that pass at once. */
  readonly passing: number;
}

const MOST_ACTS = 60;
/** Steps of what is asynchronous that are made between two acts, at most; merges are many. */
const TICKS = 8;
const MERGE_TICKS = 800;

/** A machine that is started again and again; whatever it does is decided by its seed. */
export class Drive {
  /** How often the power was cut in the midst of what, as `operation kind`. */
  readonly cuts = new Map<string, number>();
  /** Those of them that came while it recovered what another one had left. */
  restoring = 0;
  /** Those of them that came while it merged. */
  merging = 0;
  readonly ledger = new Ledger();
  readonly gapLedger = new GapLedger();
  readonly #plan: Plan;
  readonly #random: () => number;
  readonly #time = new FakeTime();
  #disk: PowerDisk;

  constructor(plan: Plan, seed: number) {
    this.#plan = plan;
    this.#random = generator(seed);
    this.#disk = new PowerDisk(this.#random);
    this.#disk.makeFolder(DATA_DIR);
    this.#disk.sync(this.#disk.open('/', 'r'));
  }

  /** From a start to an end, which is a power cut mostly. Throws when something is not as it has to be. */
  async live(): Promise<void> {
    const disk = this.#disk;
    const random = this.#random;
    disk.stopAt = random() < 0.9 ? 1 + Math.floor(random() * this.#plan.steps) : Number.POSITIVE_INFINITY;
    await this.ledger.inspect(disk.files(), 'latest');
    if (random() < 0.3) this.#trouble();
    const life = await this.#start(this.#failing);
    if (life !== null) {
      for (let acts = random() * MOST_ACTS; acts > 0 && !disk.dead; acts--) await this.#act(life);
      if (!disk.dead && random() < 0.3) await life.close();
      await this.#check(life);
    }
    const restoring = life !== null && !life.restored;
    if (life?.merging) this.merging++;
    if (this.#failing && life?.recorded === false) this.ledger.forgive();
    const died = random() < 0.3;
    this.#disk = died ? disk.crash() : this.#cut(restoring);
    await life?.ended();
    if (!died) this.#reboot();
    else this.#time.advance(random() * 5 * SECOND);
  }

  /** All is well at last. */
  async end(): Promise<void> {
    this.#disk.fault = () => null;
    this.#disk.capacity = Number.POSITIVE_INFINITY;
    const life = (await this.#start(false))!;
    life.settle();
    assert.ok(life.restored);
    await this.#check(life);
    await life.close();
    const served = this.#files(life.served());
    assert.deepEqual(
      [...served.keys()].sort(),
      this.visible()
        .map(([path]) => path)
        .sort(),
    );
    this.ledger.settle(await this.ledger.inspect(served, 'all'));
  }

  /** The files that a user sees. */
  visible(): [path: string, bytes: Uint8Array][] {
    return [...this.#disk.files()].filter(([path]) => isServed(path));
  }

  get #failing(): boolean {
    return this.#plan.faults !== undefined || this.#plan.fills === true;
  }

  #start(failing: boolean): Promise<Life | null> {
    const { gapLedger, ledger } = this;
    const stream = { ...this.#plan.stream };
    let keyring = keyringOf('a', 'b');
    if (stream.encryption?.enabled) {
      // What is said of encryption changes, and so do keys.
      if (this.#random() < 0.2) stream.encryption = { enabled: false };
      if (this.#random() < 0.5) keyring = keyringOf('b', 'a');
    }
    const [disk, random, time] = [this.#disk, this.#random, this.#time];
    return Life.start({ ...this.#plan, stream, disk, random, time, ledger, gapLedger, keyring, failing });
  }

  /** What is served is on the disk, and as soon as all of it is recovered it is all that was promised. */
  async #check(life: Life): Promise<void> {
    if (this.#disk.dead) return;
    await life.ended();
    const { gapLedger, ledger } = this;
    const served = await ledger.inspect(this.#files(life.served()), 'all');
    // What a failing disk does not let the catalogue read is served after another start.
    const found = this.#failing ? await ledger.inspect(new Map(this.visible()), 'latest') : served;
    const there = new Set([...found, ...life.unwritten()]);
    gapLedger.expect(life.gaps(), ledger.missing(there), ledger.forgotten, this.#plan.faults === undefined);
    if (!life.restored) return;
    ledger.expect(there);
    // Whoever asks is answered with these rows: they do not go away either.
    ledger.promise(served);
  }

  #files(paths: readonly string[]): Map<string, Uint8Array> {
    const files = this.#disk.files();
    return new Map(
      paths.map((path) => {
        const bytes = files.get(`${DATA_DIR}/${path}`);
        assert.ok(bytes !== undefined, `${path} is served and not there`);
        return [`${DATA_DIR}/${path}`, bytes];
      }),
    );
  }

  async #act(life: Life): Promise<void> {
    const random = this.#random;
    const choice = Math.floor(random() * 24);
    if (choice < 8) life.capture(1 + Math.floor(random() * 8), random() < 0.5);
    else if (choice < 10) await life.pass(random() * 50);
    else if (choice < 11) await life.pass(random() * this.#plan.passing);
    else if (choice < 13) life.flush();
    else if (choice < 14) await life.save(false);
    else if (choice < 15) life.retain();
    else if (choice < 17) life.settle();
    else if (choice < 18) await this.#check(life);
    else if (choice < 20) await life.saveGaps();
    else {
      for (let turns = random() * 5; turns > 0; turns--) {
        if (this.#plan.deferred && random() < 0.3) life.make();
        else life.turn();
      }
    }
    if (random() < 0.01) life.poison();
    // What is asynchronous goes on beside the recorder.
    for (let ticks = random() * this.#ticks(); ticks > 0; ticks--) await null;
    if (random() < 0.1) this.#trouble();
  }

  /** How much of what is asynchronous is done before the next act, at most. */
  #ticks(): number {
    return this.#plan.mergeBelow > 0 && this.#random() < 0.2 ? MERGE_TICKS : TICKS;
  }

  /** The disk begins to fail, or is well again. */
  #trouble(): void {
    const { faults = 0, fills, reserve } = this.#plan;
    const random = this.#random;
    if (!this.#failing) return;
    const disk = this.#disk;
    const mood = random();
    disk.fault = () => null;
    disk.capacity = Number.POSITIVE_INFINITY;
    if (fills) {
      if (mood < 0.5) disk.capacity = disk.used + Math.floor(random() * 2 * reserve);
      else if (mood < 0.55) disk.capacity = Math.floor(random() * disk.used);
      return;
    }
    if (mood < 0.3) disk.fault = () => (random() < faults ? 'EIO' : null);
    else if (mood < 0.4) disk.fault = (operation) => (operation === 'sync' && random() < 0.5 ? 'EIO' : null);
    else if (mood < 0.5) disk.capacity = Math.floor(random() * 20_000);
    else if (mood < 0.55) disk.fault = (operation) => (MODIFYING.has(operation) ? 'EROFS' : null);
  }

  #cut(restoring: boolean): PowerDisk {
    const { stopped } = this.#disk;
    const step = stopped === null ? 'idle' : `${stopped.operation} ${kindOf(stopped.path)}`;
    this.cuts.set(step, (this.cuts.get(step) ?? 0) + 1);
    if (restoring) this.restoring++;
    this.ledger.unhand();
    return this.#disk.cut();
  }

  /** Often shortly before midnight, and now and then with a wall clock that knows nothing. */
  #reboot(): void {
    const random = this.#random;
    const time = this.#time;
    time.reboot(random() * HOUR);
    const way = random();
    if (way < this.#plan.midnights) time.step(DAY - (time.now % DAY) - random() * 20 * SECOND);
    else if (way < this.#plan.midnights + 0.2) time.now = TODAY - DAY + random() * SECOND;
  }
}

/** What sort of file or folder it is. */
function kindOf(path: string): string {
  const name = basename(path).replace('.enc', '');
  if (name.startsWith('date=')) return 'date';
  if (name.endsWith('.journal')) return 'segment';
  return /^\d/.test(name) ? name.slice(name.indexOf('.') + 1) : name;
}

const MODIFYING = new Set(['mkdir', 'create', 'write', 'rename', 'remove', 'rmdir']);

import { correctionsIn } from '../../src/clock/correction.js';
import { type ClockOpening, SAVE_EVERY } from '../../src/clock/store.js';
import { Timeline } from '../../src/recorder/timeline.js';
import { DAY, FakeFiles, FakeTime, HOUR, open, PATH, SECOND, TODAY } from './machine.js';
import { Observer } from './observer.js';

const STEPS = [0.5 * SECOND, -0.5 * SECOND, HOUR, -HOUR, -3 * DAY];

/** A machine and a program on it, to which things happen at random; `observer` is told of all of them. */
export class Life {
  readonly observer: Observer;
  readonly #random: () => number;
  readonly #time: FakeTime;
  readonly #state = new FakeFiles();
  /** What the Parquet files tell of their clocks. */
  readonly #files: { clock: Record<string, unknown> }[] = [];
  #inFiles = 0;
  /** The right time minus that of the wall clock. */
  #behind = 0;
  /** Monotonic time of the last save. */
  #savedAt = 0;
  #opening!: ClockOpening;
  #save: Promise<void> | null = null;

  constructor(random: () => number) {
    this.#random = random;
    this.#time = new FakeTime(TODAY, (1 + random() * 1000) * SECOND);
    if (random() < 0.4) this.#setTo(this.#time.uptime);
    this.observer = new Observer(this.#time);
  }

  get clock() {
    return this.#opening.clock;
  }

  async start(): Promise<void> {
    const { seen } = this.observer;
    this.#opening = await open(this.#time, this.#state, {
      maxKey: seen[this.#inFiles - 1]?.key ?? 0,
      journalKey: async () => seen.at(-1)?.key ?? 0,
      corrections: () => correctionsIn(this.#files),
    });
    this.observer.look();
    this.#wasSaved();
    // As the application does.
    this.clock.onCorrection = () => {
      this.#save = this.#opening.store.save(false);
    };
  }

  /** Something of what happens while the program runs. */
  async happen(): Promise<void> {
    const what = this.#random();
    if (what < 0.35) this.#time.advance(this.#random() * (this.#random() < 0.2 ? HOUR : SECOND));
    else if (what < 0.5) await this.#setClock();
    else if (what < 0.55) this.#suspend();
    else if (what < 0.7) await this.#slew();
    else if (what < 0.75) this.#flush();
    await this.give();
  }

  /** Ends the program in one of many ways; what happens to the machine until it starts again. */
  async end(): Promise<void> {
    if (this.#random() < 0.4) {
      this.#flush();
      await this.#saving(true);
    } else if (this.#random() < 0.5) {
      // Killed in the middle of a write.
      this.#state.fail = this.#random() < 0.5 ? 'writeFile' : 'rename';
      await this.#opening.store.save(false).catch(() => {});
    }
    if (this.#random() < 0.4) this.#reboot();
    else this.#time.advance(2000 + this.#random() * HOUR);
    if (this.#random() < 0.3) await this.#setClock();
    if (this.#random() < 0.08) this.#loseState();
  }

  async give(): Promise<void> {
    this.#time.advance(2000);
    if (this.#time.uptime - this.#savedAt >= SAVE_EVERY) await this.#saving(false);
    const count = this.#random() < 0.2 ? 20 : 1;
    for (let i = 0; i < count; i++) {
      this.observer.look();
      this.observer.gave(this.clock.next());
      if (this.#save !== null) {
        await this.#save;
        this.#save = null;
        this.#wasSaved();
      }
    }
  }

  async #saving(clean: boolean): Promise<void> {
    this.observer.look();
    await this.#opening.store.save(clean);
    this.#save = null;
    this.#wasSaved();
  }

  #wasSaved(): void {
    this.#savedAt = this.#time.uptime;
    this.observer.saved();
  }

  async #setClock(): Promise<void> {
    const what = this.#random();
    if (what < 0.4) this.#step(this.#behind);
    else if (what < 0.5) this.#step(this.#random() * HOUR - this.#time.now);
    else this.#step(STEPS[Math.floor(this.#random() * STEPS.length)]!);
  }

  #suspend(): void {
    const micros = (1 + this.#random() * 36_000) * SECOND;
    this.#time.suspend(micros);
    this.observer.set(micros);
  }

  /** Small enough to be no step even if it comes together with the drift before. */
  async #slew(): Promise<void> {
    // Nobody can see a drift of a clock that shows nonsense.
    if (!this.clock.plausible) return;
    for (let i = 0; i < 5; i++) {
      const gained = (this.#random() - 0.5) * 0.08 * SECOND;
      this.#time.slew(this.#random() * 30 * SECOND, gained);
      this.#behind -= gained;
      await this.give();
    }
  }

  #flush(): void {
    const { seen } = this.observer;
    const rows = seen.slice(this.#inFiles);
    if (rows.length === 0) return;
    const { base, corrections } = this.clock;
    const record = new Timeline(base, corrections).record(rows[0]!.key, rows.at(-1)!.key);
    this.#files.push({ clock: JSON.parse(record) });
    this.#inFiles = seen.length;
    this.observer.filed();
  }

  #reboot(): void {
    this.#time.reboot((5 + this.#random() * 100_000) * SECOND);
    const what = this.#random();
    if (what < 0.3) this.#setTo(this.#time.uptime);
    else if (what < 0.5) this.#setTo(this.#time.now + this.#behind - 100 * DAY);
  }

  #loseState(): void {
    if (this.#random() < 0.5) this.#state.contents.delete(PATH);
    else this.#state.contents.set(PATH, '{"bootId":');
    this.observer.lost();
  }

  #step(micros: number): void {
    this.#time.step(micros);
    this.#behind -= micros;
    this.observer.set(micros);
  }

  #setTo(wall: number): void {
    this.#behind += this.#time.now - wall;
    this.#time.now = wall;
  }
}

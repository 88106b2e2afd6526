import type { Catalog } from '../catalog/catalog.js';
import type { Clock } from '../clock/clock.js';
import { correctionsIn } from '../clock/correction.js';
import { type ClockOpening, type ClockStore, SAVE_EVERY } from '../clock/store.js';
import { watchClock } from '../clock/watch.js';
import type { Logger } from '../log.js';
import type { Streams } from '../streams/streams.js';

/** The clock of a running broker: its state is kept on the disk, and files are told of its corrections. */
export class KeptClock {
  readonly clock: Clock;
  readonly #store: ClockStore;
  readonly #streams: Streams;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;
  /** There was no state: what files say is all that there is. */
  readonly #fromFiles: boolean;

  constructor({ clock, fromFiles, store }: ClockOpening, streams: Streams, log: Logger) {
    this.clock = clock;
    this.#store = store;
    this.#streams = streams;
    this.#log = log;
    this.#fromFiles = fromFiles;
    watchClock(clock, log, () => this.#corrected());
    this.#timer = setInterval(() => this.#save(), SAVE_EVERY / 1000);
    this.#timer.unref();
  }

  /** Once all files are loaded. */
  learn(catalog: Catalog): void {
    if (!this.#fromFiles || this.#stopped) return;
    this.clock.learn(correctionsIn(catalog.corrections()));
    this.#corrected();
  }

  /** From now on nothing is saved but the last state. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /** The last state. `clean`: nothing was lost, and no key is given after it. */
  saveLast(clean: boolean): Promise<void> {
    return this.#store.save(clean);
  }

  #corrected(): void {
    this.#streams.correct(this.clock.corrections);
    this.#save();
  }

  #save(): void {
    // What comes after the last, clean state must not undo it.
    if (this.#stopped) return;
    this.#store
      .save(false)
      .catch((error: unknown) =>
        this.#log.error({ err: error }, 'the state of the clock could not be saved'),
      );
  }
}

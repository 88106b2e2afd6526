const DAY_MS = 86_400_000;
/** What is saved up at a start, as a part of a day: many starts a day are not many days' worth. */
const AT_START = 1 / 24;
/** What has to be saved up again before writing is as usual, as a part of a day. */
const ENOUGH = 1 / 96;

/** How many bytes a stream may write in a day, for the sake of flash memory. What is not used is saved up for a day. */
export class Budget {
  readonly #perDay: number;
  readonly #now: () => number;
  readonly #onChange: (exhausted: boolean) => void;
  #left: number;
  #at: number;
  #exhausted = false;

  /** `perDay`: 0 is no limit; `now`: monotonic, ms. */
  constructor(perDay: number, now: () => number, onChange: (exhausted: boolean) => void) {
    this.#perDay = perDay;
    this.#now = now;
    this.#onChange = onChange;
    this.#left = perDay * AT_START;
    this.#at = now();
  }

  spend(bytes: number): void {
    this.#save();
    this.#left -= bytes;
  }

  /** More was written than may be: writing has to be less until there is something saved up again. */
  get exhausted(): boolean {
    if (this.#perDay === 0) return false;
    this.#save();
    const exhausted = this.#left < (this.#exhausted ? this.#perDay * ENOUGH : 0);
    if (exhausted !== this.#exhausted) {
      this.#exhausted = exhausted;
      this.#onChange(exhausted);
    }
    return exhausted;
  }

  #save(): void {
    const now = this.#now();
    this.#left = Math.min(this.#perDay, this.#left + (this.#perDay * (now - this.#at)) / DAY_MS);
    this.#at = now;
  }
}

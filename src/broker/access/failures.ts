interface Failing {
  count: number;
  /** Of the last one, monotonic, ms. */
  last: number;
  /** Resolves at the end of the delay that runs; all who fail meanwhile are answered then. */
  delay: Promise<void> | null;
}

export interface FailuresOptions {
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

const FIRST_DELAY_MS = 50;
const MOST_DELAY_MS = 2000;
/** An address that does nothing wrong for so long is a new one. */
const FORGOTTEN_AFTER_MS = 10 * 60_000;
const MOST_ADDRESSES = 10_000;

/**
 * Failed logins by address. The answer to one is delayed, the longer the more have failed: who guesses waits. Those
 * who are let in never do, and one timer an address is all that a flood costs.
 */
export class Failures {
  readonly #options: FailuresOptions;
  /** The one that failed last stands last. */
  readonly #addresses = new Map<string, Failing>();
  #total = 0;

  constructor(options: FailuresOptions) {
    this.#options = options;
  }

  /** Of all addresses, since the start. */
  get total(): number {
    return this.#total;
  }

  get addresses(): number {
    return this.#addresses.size;
  }

  /** Of late. */
  of(address: string): number {
    return this.#addresses.get(address)?.count ?? 0;
  }

  /** Resolves when the answer may be given. */
  add(address: string): Promise<void> {
    const { now, sleep } = this.#options;
    this.#total++;
    let failing = this.#addresses.get(address);
    if (failing === undefined || now() - failing.last > FORGOTTEN_AFTER_MS) {
      failing = { count: 0, last: 0, delay: null };
    }
    failing.count++;
    failing.last = now();
    this.#addresses.delete(address);
    this.#addresses.set(address, failing);
    if (this.#addresses.size > MOST_ADDRESSES) {
      const [oldest] = this.#addresses.keys();
      this.#addresses.delete(oldest);
    }
    if (failing.delay === null) {
      const current = failing;
      current.delay = sleep(delayOf(current.count)).then(() => {
        current.delay = null;
      });
    }
    return failing.delay!;
  }
}

/** ms */
function delayOf(count: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(count - 1, 16), MOST_DELAY_MS);
}

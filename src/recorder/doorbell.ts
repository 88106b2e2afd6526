/**
 * Wakes the recorder's thread. Two words of shared memory: WAKE counts the calls, SLEEPING says whether the
 * recorder wants to be called for a mere message.
 *
 * No wake-up is missed. The broker stores WRITTEN and then loads SLEEPING; the recorder stores SLEEPING and then
 * loads WRITTEN. All four are sequentially consistent, so they have one order, and in it one of the loads comes
 * after the other side's store: either the broker sees SLEEPING and calls, or the recorder sees the message and
 * does not sleep. A call between that look and the wait has changed WAKE, and the wait returns at once.
 */
const WAKE = 0;
const SLEEPING = 1;

/** The side of those who call: the broker's thread, and the one that makes files. */
export class Doorbell {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(shared = new SharedArrayBuffer(8)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** After every append: ~10 ns while the recorder is awake. */
  ring(): void {
    if (Atomics.load(this.#words, SLEEPING) === 1) this.wake();
  }

  /** Wakes it in any case, as a request does. */
  wake(): void {
    Atomics.add(this.#words, WAKE, 1);
    Atomics.notify(this.#words, WAKE);
  }
}

/** Where the recorder's loop waits; milliseconds, `Infinity` for no limit. */
export interface Bed {
  /** To be taken before looking for work; a call after that ends the next wait at once. */
  mark(): number;
  /** Waits for `Doorbell.wake`; `ring` does not disturb. */
  nap(mark: number, ms: number): void;
  /** Waits for `wake` or `ring`, if nothing is `pending` once both are heard. */
  sleep(mark: number, ms: number, pending: () => boolean): void;
}

/** The bed in the recorder's thread. */
export class DoorbellBed implements Bed {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
  }

  mark(): number {
    return Atomics.load(this.#words, WAKE);
  }

  nap(mark: number, ms: number): void {
    Atomics.wait(this.#words, WAKE, mark, ms);
  }

  sleep(mark: number, ms: number, pending: () => boolean): void {
    Atomics.store(this.#words, SLEEPING, 1);
    if (!pending()) Atomics.wait(this.#words, WAKE, mark, ms);
    Atomics.store(this.#words, SLEEPING, 0);
  }
}

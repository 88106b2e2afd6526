import { AWAITED, advance, type RingMemory, TAIL, WRITTEN } from './layout.js';

/** The recorder's side of a ring, in its worker thread. */
export class RingReader {
  readonly memory: RingMemory;
  #tail: number;

  /** `tail`: the first message to take, as a whole sequence; the ring's TAIL has the same low 32 bits or is ahead. */
  constructor(memory: RingMemory, tail: number) {
    this.memory = memory;
    this.#tail = tail;
  }

  /** First message not taken over. Those between an earlier answer and a later one were dropped or taken. */
  tail(): number {
    this.#tail = advance(this.#tail, Atomics.load(this.memory.control, TAIL));
    return this.#tail;
  }

  /** One past the last whole message. */
  written(): number {
    return advance(this.#tail, Atomics.load(this.memory.control, WRITTEN));
  }

  /** The low 32 bits of AWAITED. Whoever has seen a message in `written` sees here that somebody waits for it. */
  awaitedWord(): number {
    return Atomics.load(this.memory.control, AWAITED);
  }

  /**
   * Takes over the messages `from..to` (the end excluded), which the caller has copied out. False if the writer
   * dropped some of them meanwhile: the copies are void, and `tail()` says where to go on.
   */
  take(from: number, to: number): boolean {
    const { control } = this.memory;
    if (Atomics.compareExchange(control, TAIL, from | 0, to | 0) !== (from | 0)) return false;
    this.#tail = to;
    return true;
  }
}

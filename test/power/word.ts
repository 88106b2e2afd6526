import type { RecordedStream } from '../../src/recorder/protocol.js';
import type { Ledger } from './ledger.js';

/** Messages before this sequence were with the operating system at this time, ms. */
interface Written {
  readonly upTo: number;
  readonly at: number;
}

/** What is said of a stream's messages, as its level means it: so the ledger knows what was promised. */
export class Word {
  readonly #ledger: Ledger;
  readonly #stream: RecordedStream;
  /** Of all messages, by sequence. */
  readonly #keys: readonly number[];
  readonly #now: () => number;
  /** What is to be synced before it is older than the interval; oldest first. */
  #written: Written[] = [];
  #journalFails = false;
  /** Those who waited for messages before this sequence were told that they are safe. */
  #toldUpTo = 0;
  #overBudget = false;
  /** The journal is left out until the next file: what is told meanwhile promises nothing. */
  #paused = false;

  constructor(ledger: Ledger, stream: RecordedStream, keys: readonly number[], now: () => number) {
    this.#ledger = ledger;
    this.#stream = stream;
    this.#keys = keys;
    this.#now = now;
  }

  /** Messages before this sequence are as safe as their level promises. */
  safe(upTo: number): void {
    if (this.#paused) return;
    const keys = this.#keys.slice(0, upTo);
    if (this.#stream.durability === 'strict') this.#ledger.promise(keys);
    else if (!this.#journalFails) this.#ledger.hand(keys);
    this.#toldUpTo = upTo;
    this.written(upTo);
  }

  /** Messages before this sequence are with the operating system. */
  written(upTo: number): void {
    if (this.#stream.durability === 'interval' && !this.#paused)
      this.#written.push({ upTo, at: this.#now() });
  }

  committed(): void {
    this.#paused = this.#overBudget;
  }

  journalFailed(): void {
    this.#journalFails = true;
    // A sync that fails leaves in doubt what the system has.
    this.#ledger.unhand();
  }

  journalWorks(): void {
    this.#journalFails = false;
    this.#written = this.#written.map(({ upTo }) => ({ upTo, at: this.#now() }));
    if (this.#stream.durability !== 'none') this.#ledger.hand(this.#keys.slice(0, this.#toldUpTo));
  }

  budget(exhausted: boolean): void {
    const { durability, writeBudget } = this.#stream;
    this.#overBudget = exhausted && writeBudget.stopJournal && durability !== 'strict';
    this.#paused ||= this.#overBudget;
  }

  /** What was not synced when a recorder ended the next one writes again. */
  restarted(): void {
    this.#written = [];
    this.#overBudget = false;
    this.#paused = false;
  }

  /** What the interval promises: what is older is synced. */
  age(): void {
    if (this.#journalFails) return;
    const before = this.#now() - this.#stream.syncInterval;
    let upTo = 0;
    while (this.#written.length > 0 && this.#written[0]!.at <= before) upTo = this.#written.shift()!.upTo;
    this.#ledger.promise(this.#keys.slice(0, upTo));
  }
}

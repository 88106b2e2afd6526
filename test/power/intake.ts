import type { Clock } from '../../src/clock/clock.js';
import type { Stream } from '../../src/exchange/stream.js';
import { advance, TAIL } from '../../src/ring/layout.js';
import { messageOf } from './rows.js';
import type { Surroundings } from './setup.js';

/** Messages as they come into a stream's ring, and what is known of them there. */
export class Intake {
  readonly #around: Surroundings;
  readonly #clock: Clock;
  readonly #stream: Stream;
  /** Of all that were captured, by sequence. */
  readonly keys: number[] = [];
  /** Those of them that are in no batch: they made room for others, or an earlier recorder had them. */
  readonly #gone = new Set<number>();

  constructor(around: Surroundings, clock: Clock, stream: Stream) {
    this.#around = around;
    this.#clock = clock;
    this.#stream = stream;
  }

  /** So many messages come, as far as publishers need not wait; `awaited`: somebody waits until they are safe. */
  capture(count: number, awaited: boolean): void {
    const { ring } = this.#stream;
    for (; count > 0; count--) if (!this.#take(this.#clock.next())) break;
    ring.publish(awaited);
  }

  /** Keys of the messages that are in a batch or will be. */
  between(from: number, to: number): number[] {
    return this.keys.slice(from, to).filter((key) => !this.#gone.has(key));
  }

  /** Keys of the messages that are in no file. */
  unwritten(): number[] {
    return this.between(this.#stream.ring.committed, this.keys.length);
  }

  /** A recorder has ended: what only that had is in its journal, or lost, and those who wait for it are told so. */
  replaced(): void {
    const { committed, reusable } = this.#stream.ring;
    const keys = this.between(committed, reusable);
    this.#around.ledger.waive(keys);
    for (const key of keys) this.#gone.add(key);
  }

  /** False: its publisher waits. */
  #take(key: number): boolean {
    const stream = this.#stream;
    const { gapLedger, ledger } = this.#around;
    const { ring, stats } = stream;
    const { payload, properties, qos, retain, source } = messageOf(key);
    const props = properties === null ? null : Buffer.from(properties);
    const room = stream.hasRoom(source, props?.length ?? 0, payload.length);
    if (!room && stream.holdsPublishers) return false;
    const { captured, dropped } = stats;
    const taken = advance(ring.reusable, Atomics.load(ring.memory.control, TAIL));
    stream.take(key, source, qos, retain, props, payload);
    if (stats.captured === captured) {
      gapLedger.refuse(key);
      return true;
    }
    ledger.give(key);
    this.keys.push(key);
    // The recorder has what is before `taken`, and keeps it.
    if (stats.dropped > dropped) this.#yield(this.keys.slice(taken, ring.reusable));
    return true;
  }

  #yield(keys: readonly number[]): void {
    for (const key of keys) this.#gone.add(key);
    this.#around.ledger.yield(keys);
  }
}

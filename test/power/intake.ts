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
  /** Those of them that made room for others before the recorder had them. */
  readonly #dropped = new Set<number>();

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

  /** Keys of messages in the ring, without those that were dropped. */
  between(from: number, to: number): number[] {
    return this.keys.slice(from, to).filter((key) => !this.#dropped.has(key));
  }

  /** Keys of the messages that are in no file. */
  unwritten(): number[] {
    return this.between(this.#stream.ring.committed, this.keys.length);
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
    if (stats.dropped > dropped) this.#drop(taken);
    return true;
  }

  /** The recorder has what is before `taken`, and keeps it. */
  #drop(taken: number): void {
    const keys = this.keys.slice(taken, this.#stream.ring.reusable);
    for (const key of keys) this.#dropped.add(key);
    this.#around.ledger.yield(keys);
  }
}

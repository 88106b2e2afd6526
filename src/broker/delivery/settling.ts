import type { Delivery } from './backlog.js';
import { SafeOrder } from './safe-order.js';

/** Of messages that are not kept, behind such that wait for the store: so many, and none longer. */
const MOST_BEHIND = 1024;
const MOST_BEHIND_BYTES = 1024;

/** What one client gets when the store has it, and what must not overtake that. */
export class Settling {
  readonly #write: (delivery: Delivery) => void;
  readonly #settled: () => void;
  /** null as long as nothing had to wait. */
  #order: SafeOrder<Delivery> | null = null;

  /** `settled`: nothing waits any more. */
  constructor(write: (delivery: Delivery) => void, settled: () => void) {
    this.#write = write;
    this.#settled = settled;
  }

  /** Something waits for the store. */
  get busy(): boolean {
    return this.#order !== null && !this.#order.empty;
  }

  /** Whether one more may wait here. What is kept is in flight, and bounded by that; what is not, here. */
  takes({ kept, message }: Delivery): boolean {
    if (kept || this.#order === null || this.#order.empty) return true;
    return this.#order.length < MOST_BEHIND && (message?.payloadBytes ?? 0) <= MOST_BEHIND_BYTES;
  }

  /** Goes out when `safe`, behind what waits already; null: it is. */
  add(delivery: Delivery, safe: Promise<void> | null): void {
    if (safe === null && !this.busy) {
      this.#write(delivery);
      return;
    }
    this.#order ??= new SafeOrder(
      (one) => {
        this.#write(one);
        if (!this.busy) this.#settled();
      },
      // The store reports what it could not write, and writes it later: whoever is connected does not wait for that.
      null,
    );
    this.#order.add(delivery, safe);
  }
}

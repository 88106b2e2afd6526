/** What a session keeps, in memory: safe at once, or when told. */
import type { Delivery } from '../../../src/broker/delivery/backlog.js';
import type { KeptSession } from '../../../src/broker/session.js';

export class FakeKept implements KeptSession {
  readonly received = new Set<number>();
  readonly #deliveries = new Set<Delivery>();
  /** Of the batch that is not written; null: everything is. */
  #batch: { promise: Promise<void>; resolve: () => void } | null = null;
  /** Nothing is safe before `write`. */
  slow = false;

  get messages(): number {
    return this.#deliveries.size;
  }

  get bytes(): number {
    return [...this.#deliveries].reduce((sum, { message }) => sum + (message?.payloadBytes ?? 0), 0);
  }

  get empty(): boolean {
    return this.#deliveries.size === 0;
  }

  put(delivery: Delivery): void {
    this.#deliveries.add(delivery);
    this.#changed();
  }

  identify(): void {
    this.#changed();
  }

  release(): void {
    this.#changed();
  }

  remove(delivery: Delivery): void {
    this.#deliveries.delete(delivery);
    this.#changed();
  }

  async trim(messages: number, bytes: number): Promise<number> {
    let removed = 0;
    for (const oldest of this.#deliveries) {
      if (this.messages <= messages && this.bytes <= bytes) break;
      this.#deliveries.delete(oldest);
      removed++;
    }
    return removed;
  }

  async read(before: number): Promise<Delivery[]> {
    return [...this.#deliveries].filter(({ key }) => key < before);
  }

  putReceived(id: number): void {
    this.received.add(id);
  }

  removeReceived(id: number): void {
    this.received.delete(id);
  }

  written(): Promise<void> | null {
    return this.#batch?.promise ?? null;
  }

  /** Everything is safe now. */
  async write(): Promise<void> {
    const batch = this.#batch;
    this.#batch = null;
    batch?.resolve();
    await batch?.promise;
  }

  #changed(): void {
    if (!this.slow || this.#batch !== null) return;
    let resolve = (): void => {};
    const promise = new Promise<void>((settle) => {
      resolve = settle;
    });
    this.#batch = { promise, resolve };
  }
}

export function nothingKept(): KeptSession {
  return new FakeKept();
}

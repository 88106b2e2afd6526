import type { Delivery, Sharing } from './backlog.js';
import { Fifo } from './fifo.js';

/** What waits for one connection, in order. What waited before it does not count against it. */
export class Waiting {
  readonly #deliveries = new Fifo<Delivery>();
  #bytes = 0;
  /** The part that waited before the connection, at the head. */
  #restored = { messages: 0, bytes: 0 };

  get messages(): number {
    return this.#deliveries.length;
  }

  /** Bytes of payload. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Since the connection. */
  get newMessages(): number {
    return this.messages - this.#restored.messages;
  }

  get newBytes(): number {
    return this.#bytes - this.#restored.bytes;
  }

  get first(): Delivery | undefined {
    return this.#deliveries.first;
  }

  push(delivery: Delivery): void {
    delivery.message?.detach();
    this.#deliveries.push(delivery);
    this.#bytes += delivery.message?.payloadBytes ?? 0;
  }

  shift(): void {
    const delivery = this.#deliveries.shift();
    if (delivery !== undefined) this.#left(delivery, this.#restored.messages > 0);
  }

  /** All that is there waited before the connection. */
  restored(): void {
    this.#restored = { messages: this.messages, bytes: this.#bytes };
  }

  /** Takes out what came through a shared subscription and was not sent. */
  giveUp(sharing: Sharing): Delivery[] {
    const given: Delivery[] = [];
    const all = [...this.#deliveries];
    const restored = this.#restored.messages;
    this.#deliveries.clear();
    for (const [i, one] of all.entries()) {
      if (one.sharing === sharing && one.id === 0) {
        this.#left(one, i < restored);
        given.push(one);
      } else {
        this.#deliveries.push(one);
      }
    }
    return given;
  }

  [Symbol.iterator](): Iterator<Delivery> {
    return this.#deliveries[Symbol.iterator]();
  }

  /** How many of those that nobody else has there were. */
  clear(): number {
    let lost = 0;
    for (const { kept, sharing } of this.#deliveries) if (!kept && sharing === null) lost++;
    this.#deliveries.clear();
    this.#bytes = 0;
    this.restored();
    return lost;
  }

  #left({ message }: Delivery, restored: boolean): void {
    const bytes = message?.payloadBytes ?? 0;
    this.#bytes -= bytes;
    if (!restored) return;
    this.#restored.messages--;
    this.#restored.bytes -= bytes;
  }
}

import { MqttStreamError } from '../errors.js';
import type { Output } from './delivery/output.js';
import { SafeOrder } from './delivery/safe-order.js';

const PINGRESP = Buffer.of(0xd0, 0);

/** `kept`: false if a stream has stopped before it could keep what it promises. */
type Answer = (kept: boolean) => void;

/** What a connection's client is answered, in the order of its packets, each when what it says is true even after a crash. */
export class Answers {
  readonly #output: Output;
  readonly #fail: (error: Error) => void;
  /** null as long as none had to wait. */
  #waiting: SafeOrder<Answer> | null = null;

  /** `fail`: something will never be safe. */
  constructor(output: Output, fail: (error: Error) => void) {
    this.#output = output;
    this.#fail = fail;
  }

  /**
   * PUBACK, PUBREC or PUBCOMP, in the order of what they answer [MQTT-4.6.0-2]. `safe`: when what it says is true; null: it
   * is. `unkept`: gives the reason if it turns out that a stream cannot keep what it promises.
   */
  acknowledge(
    first: number,
    id: number,
    reason: number,
    safe: Promise<void> | null,
    unkept: (() => number) | null = null,
  ): void {
    if (safe === null && this.#inOrder) this.#output.acknowledge(first, id, reason);
    else
      this.#later(
        (kept) => this.#output.acknowledge(first, id, kept || unkept === null ? reason : unkept()),
        safe,
      );
  }

  /** Whoever gets it knows that what it sent before has been dealt with. */
  ping(safe: Promise<void> | null): void {
    if (safe === null && this.#inOrder) this.#output.packet(PINGRESP);
    else this.#later(() => this.#output.packet(PINGRESP), safe);
  }

  get #inOrder(): boolean {
    return this.#waiting === null || this.#waiting.empty;
  }

  #later(answer: Answer, safe: Promise<void> | null): void {
    this.#waiting ??= new SafeOrder(
      (one) => one(true),
      (one, error) => {
        if (error instanceof MqttStreamError && error.code === 'CAPTURE_STOPPED') one(false);
        else this.#fail(error);
      },
    );
    this.#waiting.add(answer, safe);
  }
}

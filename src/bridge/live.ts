import type { LocalMessage, Outgoing, OutgoingMessages } from './outgoing.js';
import type { BridgeLog } from './remote.js';
import type { Sender } from './sender.js';
import { SETTLE_MS, type Source, TURN_MESSAGES } from './source.js';
import type { BridgeStats } from './stats.js';

export interface LiveParts {
  readonly outgoing: OutgoingMessages;
  readonly sender: Sender;
  /** What may wait. */
  readonly queue: { readonly messages: number; readonly bytes: number };
  readonly stats: BridgeStats;
  readonly log: BridgeLog;
  /** Calls with what is published here until the returned function is called. */
  readonly subscribe: (take: (message: LocalMessage) => void) => () => void;
}

/**
 * Sends messages as they are published here. Without a connection QoS 0 is dropped, and QoS 1 and 2 wait in memory
 * within bounds; what was sent and not acknowledged is sent again, before them. What is dropped is counted.
 */
export class Live implements Source {
  readonly #parts: LiveParts;
  /** In their order. */
  #waiting = new Set<Outgoing>();
  readonly #unacknowledged = new Set<Outgoing>();
  /** Payloads of what waits. */
  #bytes = 0;
  /** An acknowledgement of QoS 0 comes in the middle of sending. */
  #sending = false;
  #unsubscribe = () => {};

  constructor(parts: LiveParts) {
    this.#parts = parts;
    parts.sender.onReady = () => this.#send();
  }

  get waiting(): number {
    return this.#waiting.size + this.#unacknowledged.size;
  }

  /** What waits may have any age. */
  readonly lagSeconds = 0;

  start(): void {
    this.#unsubscribe = this.#parts.subscribe((message) => this.take(message));
  }

  /** The payload may be written over when this returns. */
  take(message: LocalMessage): void {
    const { outgoing, sender, stats } = this.#parts;
    const rule = outgoing.rule(message.topic, message.clientId);
    if (rule === null) return;
    const sent = outgoing.of(rule, message, 0);
    if (sent === null) return;
    const { payload, qos } = sent;
    if ((qos === 0 && !sender.connected) || this.#full(payload.length)) {
      stats.dropped++;
      return;
    }
    this.#waiting.add({ ...sent, payload: Buffer.from(payload) });
    this.#bytes += payload.length;
    this.#send();
  }

  up(): void {
    this.#send();
  }

  down(): void {
    const again = [...this.#unacknowledged].filter(({ qos }) => qos > 0);
    this.#parts.stats.dropped += this.#unacknowledged.size - again.length;
    this.#unacknowledged.clear();
    this.#waiting = new Set([...again, ...this.#waiting]);
    for (const { payload } of again) this.#bytes += payload.length;
  }

  /** Sends what can be sent at once; the rest is dropped. */
  async close(): Promise<void> {
    const { log, sender, stats } = this.#parts;
    this.#unsubscribe();
    await sender.settled(SETTLE_MS);
    if (this.waiting === 0) return;
    stats.dropped += this.waiting;
    log.warn({ messages: this.waiting }, 'the bridge could not send all that waited before the stop');
  }

  #full(bytes: number): boolean {
    const { queue } = this.#parts;
    // One message always may wait, be it larger than the bound.
    return (
      this.#waiting.size >= queue.messages || (this.#waiting.size > 0 && this.#bytes + bytes > queue.bytes)
    );
  }

  #send(): void {
    if (this.#sending) return;
    const { sender } = this.#parts;
    this.#sending = true;
    let sent = 0;
    for (const message of this.#waiting) {
      if (!sender.ready()) break;
      if (sent++ === TURN_MESSAGES) {
        setImmediate(() => this.#send());
        break;
      }
      this.#waiting.delete(message);
      this.#bytes -= message.payload.length;
      this.#unacknowledged.add(message);
      sender.send(message, () => this.#unacknowledged.delete(message));
    }
    this.#sending = false;
  }
}

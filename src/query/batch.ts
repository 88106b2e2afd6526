/** Messages on their way from the reading thread: columns instead of objects, and one buffer for all payloads. */
import type { Message } from '../ring/record.js';

const MAX_ROWS = 1000;
const MAX_BYTES = 1024 * 1024;

/** All arrays have one value a message; `topics`, `clients` and `properties` are positions in `texts`. */
export interface Batch {
  readonly keys: Float64Array;
  readonly qos: Uint8Array;
  readonly retain: Uint8Array;
  readonly topics: Uint16Array;
  readonly clients: Uint16Array;
  readonly properties: Uint16Array;
  readonly texts: readonly (string | null)[];
  /** Where each payload ends in `payloads`; it begins where the one before ends. */
  readonly ends: Float64Array;
  readonly payloads: ArrayBuffer;
}

/** Collects messages into one batch after the other. */
export class BatchBuilder {
  readonly #keys = new Float64Array(MAX_ROWS);
  readonly #qos = new Uint8Array(MAX_ROWS);
  readonly #retain = new Uint8Array(MAX_ROWS);
  readonly #topics = new Uint16Array(MAX_ROWS);
  readonly #clients = new Uint16Array(MAX_ROWS);
  readonly #properties = new Uint16Array(MAX_ROWS);
  readonly #ends = new Float64Array(MAX_ROWS);
  // Payloads are copied at once: a view would hold its whole page, and a batch may draw on very many.
  #payloads = new Uint8Array(MAX_BYTES);
  #payloadBytes = 0;
  #texts = new Map<string | null, number>();
  #textLength = 0;
  #rows = 0;

  get empty(): boolean {
    return this.#rows === 0;
  }

  get full(): boolean {
    return this.#rows === MAX_ROWS || this.#payloadBytes + this.#textLength >= MAX_BYTES;
  }

  /** Copies the payload. Not to be called when full. */
  add(message: Message): void {
    const row = this.#rows++;
    this.#keys[row] = message.key;
    this.#qos[row] = message.qos;
    this.#retain[row] = message.retain ? 1 : 0;
    this.#topics[row] = this.#text(message.topic);
    this.#clients[row] = this.#text(message.clientId);
    this.#properties[row] = this.#text(message.properties);
    const end = this.#payloadBytes + message.payload.length;
    if (end > this.#payloads.length) {
      const longer = new Uint8Array(end);
      longer.set(this.#payloads.subarray(0, this.#payloadBytes));
      this.#payloads = longer;
    }
    this.#payloads.set(message.payload, this.#payloadBytes);
    this.#payloadBytes = end;
    this.#ends[row] = end;
  }

  /** The batch so far, and begins the next one. */
  take(): Batch {
    const rows = this.#rows;
    const batch = {
      keys: this.#keys.slice(0, rows),
      qos: this.#qos.slice(0, rows),
      retain: this.#retain.slice(0, rows),
      topics: this.#topics.slice(0, rows),
      clients: this.#clients.slice(0, rows),
      properties: this.#properties.slice(0, rows),
      texts: [...this.#texts.keys()],
      ends: this.#ends.slice(0, rows),
      payloads: this.#payloads.buffer.slice(0, this.#payloadBytes),
    };
    // One long payload does not make every later batch hold as much.
    if (this.#payloads.length > 2 * MAX_BYTES) this.#payloads = new Uint8Array(MAX_BYTES);
    this.#payloadBytes = 0;
    this.#texts = new Map();
    this.#textLength = 0;
    this.#rows = 0;
    return batch;
  }

  #text(text: string | null): number {
    let position = this.#texts.get(text);
    if (position === undefined) {
      position = this.#texts.size;
      this.#texts.set(text, position);
      this.#textLength += text?.length ?? 0;
    }
    return position;
  }
}

/** The messages of a batch; their payloads are views of its buffer. */
export function messagesOf(batch: Batch): Message[] {
  const { texts, ends, payloads } = batch;
  return Array.from(batch.keys, (key, row) => {
    const start = row === 0 ? 0 : ends[row - 1];
    return {
      key,
      topic: texts[batch.topics[row]]!,
      clientId: texts[batch.clients[row]],
      qos: batch.qos[row] as 0 | 1 | 2,
      retain: batch.retain[row] === 1,
      properties: texts[batch.properties[row]],
      payload: new Uint8Array(payloads, start, ends[row] - start),
    };
  });
}

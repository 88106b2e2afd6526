/** Messages become rows of a batch again. */
import type { Batch } from '../recorder/batch.js';
import { storeOf } from '../recorder/bytes.js';
import { align8 } from '../ring/layout.js';
import { emptyParts, type Message } from '../ring/record.js';
import { encodeSource, type Source } from '../ring/source.js';

const NOTHING = Buffer.alloc(0);

/** Lays one message after the other out as a ring would: from there the batch takes it. */
export class RowWriter {
  readonly #batch: Batch;
  readonly #parts = emptyParts();
  /** By topic, then by client. */
  readonly #sources = new Map<string, Map<string | null, Source>>();
  #store = storeOf(64 * 1024);

  constructor(batch: Batch) {
    this.#batch = batch;
  }

  /** Throws `INTERNAL` for names that no message of a ring has. */
  append(message: Message): void {
    const { key, topic, clientId, qos, retain, payload } = message;
    const source = this.#source(topic, clientId);
    const properties = message.properties === null ? NOTHING : Buffer.from(message.properties, 'utf8');
    const propsAt = source.head.length * 4;
    const payloadAt = align8(propsAt + properties.length);
    const size = align8(payloadAt + payload.length);
    if (size > this.#store.bytes.length) this.#store = storeOf(size);
    const { bytes, words } = this.#store;
    words.set(source.head);
    bytes.set(properties, propsAt);
    bytes.set(payload, payloadAt);
    Object.assign(this.#parts, {
      key,
      hash: source.hash,
      qos,
      retain,
      noClient: !source.hasClient,
      topicBytes: source.topicBytes,
      clientBytes: source.clientBytes,
      propsAt,
      propsBytes: properties.length,
      payloadAt,
      payloadBytes: payload.length,
    });
    this.#batch.reserve(1);
    this.#batch.append(this.#store, this.#parts);
  }

  #source(topic: string, clientId: string | null): Source {
    let clients = this.#sources.get(topic);
    if (clients === undefined) {
      clients = new Map();
      this.#sources.set(topic, clients);
    }
    let source = clients.get(clientId);
    if (source === undefined) {
      source = encodeSource(topic, clientId);
      clients.set(clientId, source);
    }
    return source;
  }
}

import { KIND } from './keys.js';
import { decodeMessage, encodeWhole, type StoredMessage } from './packet-codec.js';
import type { Rows } from './rows.js';

export type Will = StoredMessage & { clientId?: string; brokerId?: string };

/** Wills of connected clients, and of those that a crash disconnected, by client id. */
export class Wills {
  readonly #rows: Rows;
  readonly #wills = new Map<string, Will>();

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /** Rejects with STORE_UNUSABLE. */
  async load(): Promise<void> {
    for await (const [key, value] of this.#rows.range(KIND.will)) {
      this.#wills.set(key.slice(1), this.#rows.decode(value, decodeMessage));
    }
  }

  put(clientId: string, will: Will): Promise<void> {
    this.#wills.set(clientId, will);
    this.#rows.put(KIND.will + clientId, encodeWhole(will));
    return this.#rows.written();
  }

  get(clientId: string): Will | undefined {
    return this.#wills.get(clientId);
  }

  async remove(clientId: string): Promise<Will | undefined> {
    const will = this.#wills.get(clientId);
    if (this.#wills.delete(clientId)) this.#rows.delete(KIND.will + clientId);
    await this.#rows.written();
    return will;
  }

  /** Those of brokers other than these. */
  *ofOthers(brokers: object): Generator<Will> {
    for (const will of [...this.#wills.values()]) {
      if (!Object.hasOwn(brokers, will.brokerId ?? '')) yield will;
    }
  }
}

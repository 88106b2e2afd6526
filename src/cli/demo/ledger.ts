import { createHash } from 'node:crypto';

/** What of a message must come back as it was. */
export interface Entry {
  readonly topic: string;
  readonly qos: number;
  /** MQTT 5 content type. */
  readonly contentType: string | null;
  readonly bytes: number;
  readonly sha256: string;
}

/** A message that came back; the key where there is one. */
export interface Seen extends Entry {
  readonly key: number | null;
}

export function entryOf(
  topic: string,
  qos: number,
  payload: Uint8Array,
  contentType: string | null | undefined,
): Entry {
  const sha256 = createHash('sha256').update(payload).digest('hex');
  return { topic, qos, contentType: contentType ?? null, bytes: payload.length, sha256 };
}

/** Everything that was published, by publisher and in order. A topic belongs to one publisher. */
export class Ledger {
  readonly #entries = new Map<string, Entry[]>();

  add(publisher: string, entry: Entry): void {
    const entries = this.#entries.get(publisher);
    if (entries === undefined) this.#entries.set(publisher, [entry]);
    else entries.push(entry);
  }

  last(topic: string): Entry | undefined {
    return [...this.#entries.values()].flat().findLast((entry) => entry.topic === topic);
  }

  /** What a stream, or a subscriber, should have got. */
  expected(wants: (topic: string) => boolean): Expected {
    const byPublisher = new Map<string, Entry[]>();
    for (const [publisher, entries] of this.#entries) {
      byPublisher.set(
        publisher,
        entries.filter(({ topic }) => wants(topic)),
      );
    }
    return new Expected(byPublisher);
  }
}

export class Expected {
  readonly #byPublisher: ReadonlyMap<string, readonly Entry[]>;
  readonly count: number;
  readonly bytes: number;

  constructor(byPublisher: ReadonlyMap<string, readonly Entry[]>) {
    this.#byPublisher = byPublisher;
    const all = [...byPublisher.values()].flat();
    this.count = all.length;
    this.bytes = all.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * The first difference between this and what came back: keys must rise, and of every publisher all messages be
   * there once, in its order, unchanged. null: there is none.
   */
  difference(seen: readonly Seen[]): string | null {
    const publisherOf = new Map<string, string>();
    for (const [publisher, entries] of this.#byPublisher) {
      for (const { topic } of entries) publisherOf.set(topic, publisher);
    }
    const next = new Map<string, number>();
    let lastKey = -1;
    for (const one of seen) {
      if (one.key !== null && one.key <= lastKey) return `key ${one.key} follows ${lastKey}`;
      lastKey = one.key ?? lastKey;
      const publisher = publisherOf.get(one.topic);
      if (publisher === undefined) return `${one.topic} does not belong here`;
      const position = next.get(publisher) ?? 0;
      next.set(publisher, position + 1);
      const expected = this.#byPublisher.get(publisher)![position];
      if (expected === undefined) return `${publisher}: more than the ${position} messages published`;
      for (const what of ['topic', 'qos', 'contentType', 'bytes', 'sha256'] as const) {
        if (one[what] === expected[what]) continue;
        return `${publisher}, message ${position}: ${what} is ${one[what]}, not ${expected[what]}`;
      }
    }
    for (const [publisher, entries] of this.#byPublisher) {
      const found = next.get(publisher) ?? 0;
      if (found < entries.length) return `${publisher}: ${found} of ${entries.length} messages`;
    }
    return null;
  }
}

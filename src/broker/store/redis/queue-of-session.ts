import type { Delivery } from '../../delivery/backlog.js';
import type { TopicTable } from '../../delivery/topic-table.js';
import type { KeptSession } from '../../session.js';
import { COUNTER_DIGITS, counterPart } from '../keys.js';
import { decodeMessage, encodeMessage } from '../packet-codec.js';
import { queuedDelivery, queuedPacket, releasedDelivery } from '../queued-packet.js';
import type { Commit } from './commit.js';
import type { Answer } from './link.js';

/** Where a row's message begins: before it stands its place. */
const PLACE_DIGITS = 16;

/** A message from another instance, while it is given to the sessions here. */
export interface Arrival {
  readonly field: string;
  /** Clients that it is queued for already, by where it was published. */
  readonly queuedFor: Set<string>;
}

export interface QueueParts {
  readonly instance: string;
  readonly commit: Commit;
  readonly topics: TopicTable;
  readonly limits: { readonly clientQueueMessages: number; readonly clientQueueBytes: number };
  /** null: what is delivered was published here. */
  readonly arriving: () => Arrival | null;
  /** A message with this key was put into a client's queue here. */
  readonly queued: (key: number, clientId: string) => void;
  /** The rows of a client's queue and its packet identifiers, when all has been heard that was published before. */
  readonly read: (clientId: string) => Promise<readonly [queue: Answer, identifiers: Answer]>;
}

/**
 * One client's session in Redis. A queued message is known by its key and the instance that gave it; its place, which
 * the queue is sorted by, Redis gives.
 */
export class QueueOfSession implements KeptSession {
  readonly clientId: string;
  /** Which of the client's sessions it is. */
  gen: string;
  /** Its client is or was here last: it is ours to care for. */
  owned = true;
  /** Redis bounds what waits for a client that is not here: only there it is known what others put in. */
  readonly messages = 0;
  readonly bytes = 0;
  readonly received: readonly number[] = [];
  /** Redis knows it, or is going to. */
  stored = false;
  readonly #parts: QueueParts;
  readonly #fields = new WeakMap<Delivery, string>();
  /** Put since a connection's reading began: it has those already. */
  #since: Set<string> | null = null;
  #untouched = true;

  constructor(clientId: string, gen: string, parts: QueueParts) {
    this.clientId = clientId;
    this.gen = gen;
    this.#parts = parts;
  }

  /** Nobody can have put anything in: it was made by this process, and has never had a subscription. */
  get empty(): boolean {
    return this.#untouched;
  }

  /** Anybody may put something in from now on. */
  subscribed(): void {
    this.#untouched = false;
  }

  /** It exists in Redis already, as session `gen`, and somebody else cares for it. */
  known(gen: string): void {
    this.gen = gen;
    this.owned = false;
    this.stored = true;
    this.#untouched = false;
  }

  /** Redis drops what is too much when it comes. */
  async trim(): Promise<number> {
    return 0;
  }

  put(delivery: Delivery): void {
    const { instance, commit, limits, queued } = this.#parts;
    const arrival = this.#parts.arriving();
    // Whoever has the client takes care of what comes from elsewhere.
    if (arrival !== null && !this.owned) return;
    const { clientId, gen } = this;
    const { key, id } = delivery;
    const field = arrival?.field ?? counterPart(key) + instance;
    this.#fields.set(delivery, field);
    this.#since?.add(field);
    if (arrival?.queuedFor.delete(clientId)) {
      if (id > 0) this.identify(delivery);
      return;
    }
    const packet = queuedPacket(delivery);
    const value = encodeMessage(packet, { clientId: packet.clientId });
    const { clientQueueMessages, clientQueueBytes } = limits;
    commit.add('queue', clientId, gen, field, value, id, clientQueueMessages, clientQueueBytes);
    if (arrival === null) queued(key, clientId);
  }

  identify(delivery: Delivery): void {
    this.#parts.commit.add('identify', this.clientId, this.#fields.get(delivery)!, delivery.id);
  }

  release(delivery: Delivery): void {
    this.#parts.commit.add('release', this.clientId, this.#fields.get(delivery)!, delivery.id);
  }

  remove(delivery: Delivery): void {
    this.#parts.commit.add('remove', this.clientId, this.#fields.get(delivery)!);
  }

  /** All there is: what others publish has keys of other clocks. */
  async read(): Promise<Delivery[]> {
    const since = new Set<string>();
    this.#since = since;
    try {
      const [queue, identifiers] = await this.#parts.read(this.clientId);
      return this.#deliveries(pairs(queue), new Map(pairs(identifiers)), since);
    } finally {
      if (this.#since === since) this.#since = null;
    }
  }

  putReceived(id: number): void {
    this.#parts.commit.add('receive', this.clientId, id);
  }

  removeReceived(id: number): void {
    this.#parts.commit.add('unreceive', this.clientId, id);
  }

  written(): Promise<void> | null {
    return this.#parts.commit.unwritten;
  }

  #deliveries(
    queue: readonly [string, Buffer][],
    identifiers: ReadonlyMap<string, Buffer>,
    since: ReadonlySet<string>,
  ): Delivery[] {
    const found: { place: string; delivery: Delivery }[] = [];
    const add = (place: string, field: string, delivery: Delivery) => {
      this.#fields.set(delivery, field);
      found.push({ place, delivery });
    };
    for (const [field, row] of queue) {
      if (since.has(field)) continue;
      const brokerCounter = Number.parseInt(field.slice(0, COUNTER_DIGITS), 16);
      const messageId = Number(identifiers.get(field) ?? 0);
      const stored = decodeMessage(row.subarray(PLACE_DIGITS)) as Parameters<typeof queuedDelivery>[0];
      const delivery = queuedDelivery({ ...stored, brokerCounter, messageId }, this.#parts.topics);
      add(row.toString('latin1', 0, PLACE_DIGITS), field, delivery);
    }
    for (const [field, value] of identifiers) {
      const [id, place] = value.toString().split(':');
      if (place !== undefined) add(place, field, releasedDelivery(Number(id)));
    }
    found.sort((a, b) => (a.place < b.place ? -1 : 1));
    return found.map(({ delivery }) => delivery);
  }
}

/** A hash as Redis answers it. */
export function pairs(answer: Answer): [string, Buffer][] {
  const flat = answer as readonly Buffer[];
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!.toString(), flat[2 * i + 1]!]);
}

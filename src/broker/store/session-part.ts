import type { PublishPacket } from '../aedes-internals.js';
import type { Delivery } from '../delivery/backlog.js';
import type { TopicTable } from '../delivery/topic-table.js';
import type { KeptSession } from '../session.js';
import type { OutgoingUpdate, Pubrel, QueuedMessage, Receiver } from './outgoing.js';
import { queuedDelivery, queuedPacket, releasedDelivery } from './queued-packet.js';
import type { ReceivedMessage } from './received.js';
import { unawaited } from './unawaited.js';

interface Client {
  readonly id: string;
}

/** Queues and packet identifiers of all sessions. */
export interface QueueStore {
  queued(client: Client): { readonly messages: number; readonly bytes: number };
  nothingOutgoing(client: Client): boolean;
  received(client: Client): Iterable<number>;
  outgoingEnqueue(receiver: Receiver, packet: PublishPacket): Promise<void>;
  outgoingUpdate(client: Client, packet: OutgoingUpdate): Promise<void>;
  outgoingAcknowledge(client: Client, packet: { messageId: number }): Promise<void>;
  outgoingStream(client: Client): AsyncIterable<QueuedMessage | Pubrel>;
  incomingStorePacket(client: Client, packet: ReceivedMessage): Promise<void>;
  outgoingRemove(client: Client, counter: number, bytes: number): Promise<void>;
  trim(clientId: string, toMessages: number, toBytes: number): Promise<number>;
  incomingDelPacket(client: Client, packet: { messageId: number }): Promise<void>;
  readonly unwritten: Promise<void> | null;
}

/** One session's part of the store, as the session knows it. */
export class StoreOfSession implements KeptSession {
  readonly #client: Client;
  readonly #store: QueueStore;
  readonly #topics: TopicTable;

  constructor(clientId: string, store: QueueStore, topics: TopicTable) {
    this.#client = { id: clientId };
    this.#store = store;
    this.#topics = topics;
  }

  get messages(): number {
    return this.#store.queued(this.#client).messages;
  }

  get bytes(): number {
    return this.#store.queued(this.#client).bytes;
  }

  get empty(): boolean {
    return this.#store.nothingOutgoing(this.#client);
  }

  get received(): Iterable<number> {
    return this.#store.received(this.#client);
  }

  put(delivery: Delivery): void {
    const { id } = delivery;
    // Whoever depends on it waits for `written`; the store reports what it cannot write.
    const receiver = { clientId: this.#client.id, ...(id === 0 ? {} : { messageId: id }) };
    unawaited(this.#store.outgoingEnqueue(receiver, queuedPacket(delivery)));
  }

  identify({ key, id, message }: Delivery): void {
    const bytes = message!.payloadBytes;
    unawaited(this.#store.outgoingUpdate(this.#client, { brokerCounter: key, messageId: id, bytes }));
  }

  release({ id }: Delivery): void {
    unawaited(this.#store.outgoingUpdate(this.#client, { cmd: 'pubrel', messageId: id }));
  }

  remove({ id, key, message }: Delivery): void {
    if (id === 0) unawaited(this.#store.outgoingRemove(this.#client, key, message!.payloadBytes));
    else unawaited(this.#store.outgoingAcknowledge(this.#client, { messageId: id }));
  }

  trim(messages: number, bytes: number): Promise<number> {
    return this.#store.trim(this.#client.id, messages, bytes);
  }

  async read(before: number): Promise<Delivery[]> {
    const deliveries: Delivery[] = [];
    for await (const packet of this.#store.outgoingStream(this.#client)) {
      if (packet.cmd === 'pubrel') {
        deliveries.push(releasedDelivery(packet.messageId));
        continue;
      }
      if (packet.brokerCounter >= before) break;
      deliveries.push(queuedDelivery(packet, this.#topics));
    }
    return deliveries;
  }

  putReceived(id: number): void {
    unawaited(this.#store.incomingStorePacket(this.#client, receivedPacket(id)));
  }

  removeReceived(id: number): void {
    unawaited(this.#store.incomingDelPacket(this.#client, { messageId: id }));
  }

  written(): Promise<void> | null {
    return this.#store.unwritten;
  }
}

/** Of a message received all that is needed is the identifier: the message is on its way already. */
function receivedPacket(id: number): PublishPacket & { messageId: number } {
  return { cmd: 'publish', topic: '', payload: NOTHING, qos: 2, retain: false, dup: false, messageId: id };
}

const NOTHING = Buffer.alloc(0);

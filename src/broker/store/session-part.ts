import type { PublishPacket } from '../aedes-internals.js';
import type { Delivery } from '../delivery/backlog.js';
import { Message } from '../delivery/message.js';
import type { TopicTable } from '../delivery/topic-table.js';
import { variantOf } from '../delivery/variant.js';
import type { KeptSession } from '../session.js';
import type { LevelPersistence } from './level-persistence.js';
import { unawaited } from './unawaited.js';

/** One session's part of the store, as the session knows it. */
export class StoreOfSession implements KeptSession {
  readonly #client: { readonly id: string };
  readonly #store: LevelPersistence;
  readonly #topics: TopicTable;

  constructor(clientId: string, store: LevelPersistence, topics: TopicTable) {
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

  put({ key, message, variant, id }: Delivery): void {
    const { topic, payload, properties, clientId, expiry } = message!;
    const { identifiers, qos, retain } = variant;
    const packet: PublishPacket = {
      cmd: 'publish',
      topic,
      payload,
      qos,
      retain,
      dup: false,
      brokerCounter: key,
      ...(clientId === null ? {} : { clientId }),
      ...(expiry === undefined ? {} : { messageExpiry: expiry }),
    };
    if (properties !== undefined || identifiers !== null) {
      packet.properties = {
        ...properties,
        ...(identifiers === null ? {} : { subscriptionIdentifier: [...identifiers] }),
      };
    }
    // Whoever depends on it waits for `written`; the store reports what it cannot write.
    const receiver = { clientId: this.#client.id, ...(id === 0 ? {} : { messageId: id }) };
    unawaited(this.#store.outgoingEnqueue(receiver, packet));
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
        deliveries.push(released(packet.messageId));
        continue;
      }
      if (packet.brokerCounter >= before) break;
      deliveries.push(this.#delivery(packet));
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

  #delivery(packet: PublishPacket & { brokerCounter: number }): Delivery {
    const { subscriptionIdentifier, ...properties } = packet.properties ?? {};
    const whole = { ...packet };
    if (Object.keys(properties).length > 0) whole.properties = properties;
    else delete whole.properties;
    const message = Message.of(this.#topics.named(packet.topic), whole, Date.now());
    message.clientId = packet.clientId ?? null;
    message.key = packet.brokerCounter;
    const identifiers = (subscriptionIdentifier as number[] | undefined) ?? null;
    const { qos, retain, messageId = 0 } = packet;
    const variant = variantOf(false, qos, retain, identifiers);
    return {
      key: packet.brokerCounter,
      message,
      variant,
      sharing: null,
      kept: true,
      id: messageId,
      sent: messageId > 0,
    };
  }
}

/** The client has the message; only its identifier is left. */
function released(id: number): Delivery {
  const variant = variantOf(false, 2, false, null);
  return { key: 0, message: null, variant, sharing: null, kept: true, id, sent: true };
}

/** Of a message received all that is needed is the identifier: the message is on its way already. */
function receivedPacket(id: number): PublishPacket & { messageId: number } {
  return { cmd: 'publish', topic: '', payload: NOTHING, qos: 2, retain: false, dup: false, messageId: id };
}

const NOTHING = Buffer.alloc(0);

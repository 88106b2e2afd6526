import type { PublishPacket } from '../aedes-internals.js';
import type { Message } from '../delivery/message.js';
import type { TopicTable } from '../delivery/topic-table.js';
import type { KeptSession } from '../session.js';
import type { StoredMessage } from './packet-codec.js';
import type { SessionRecord, StoredSubscription } from './session-codec.js';
import type { StoredSessionSummary } from './session-table.js';

/** A will as it is in the store. */
export type StoredWill = PublishPacket & { clientId?: string; user: string | null; delay: number };

/** The store's part in sessions. What it cannot write it reports by itself. */
export interface SessionStore {
  putSession(record: SessionRecord): Promise<void>;
  endSession(clientId: string): Promise<void>;
  /** Those that were kept for this process alone. */
  sessions(): AsyncIterable<StoredSessionSummary>;
  addSubscriptions(client: { id: string }, subscriptions: readonly StoredSubscription[]): Promise<void>;
  removeSubscriptions(client: { id: string }, filters: readonly string[]): Promise<void>;
  /** When all that was put is safe; null: it is. */
  readonly unwritten: Promise<void> | null;
  /** Those who share the store; null: nobody does. */
  readonly others: Others | null;
}

/** The store's part in wills: one for a client id. What it cannot write it reports by itself. */
export interface WillStore {
  putWill(client: { id: string }, will: StoredWill): Promise<void>;
  streamWill(brokers: object): AsyncIterable<StoredWill>;
  delWill(client: { id: string }): Promise<unknown>;
}

/** What the broker needs of wherever sessions, retained messages and wills are kept. */
export interface Store extends SessionStore, WillStore {
  /** Called by aedes. */
  setup(broker: { readonly id: string }): Promise<void>;
  /** An empty payload removes the topic's message [MQTT-3.3.1-6]. */
  storeRetained(packet: StoredMessage): Promise<void>;
  retained(): AsyncIterable<StoredMessage>;
  /** What outlives the process of a client's session, from now on. */
  partOf(clientId: string, topics: TopicTable): KeptSession;
  /** Writes what is not written yet and closes the store. */
  destroy(): Promise<void>;
}

/** Other instances of the broker on the same store. */
export interface Others {
  /** From now on `instance` hears of them. */
  join(instance: Instance): Promise<void>;
  /**
   * A client comes: whoever had it has let it go when this resolves. To the packet identifiers of QoS 2 messages
   * received and not released; null if it was here already, or is not `wanted` any more. Rejects with
   * STORE_UNREACHABLE.
   */
  claim(clientId: string, wanted: () => boolean): Promise<readonly number[] | null>;
  /** A client is gone, and nothing of it lasts. */
  left(clientId: string): void;
  /** A message was published here, and the sessions known here have it. */
  send(message: Message): void;
}

/** This instance, as the others act on it. */
export interface Instance {
  /** The ids of all connected clients. */
  clients(): Iterable<string>;
  /** A message that was published at another one. */
  arrived(message: StoredMessage, key: number, clientId: string | null): void;
  /** One that its topic keeps: the latest. */
  retained(message: StoredMessage, key: number, clientId: string | null): void;
  /** All retained messages, but of those topics that are `ours`: there we know better. */
  retainedAnew(messages: AsyncIterable<StoredMessage>, ours: (topic: string) => boolean): Promise<void>;
  /** There is such a session. */
  learn(stored: StoredSessionSummary): void;
  /** A session has another record. */
  changed(record: SessionRecord): void;
  subscribed(clientId: string, subscriptions: readonly StoredSubscription[]): void;
  unsubscribed(clientId: string, filters: readonly string[]): void;
  /** A session is over. */
  forget(clientId: string): void;
  /** A client has come to another instance: its connection ends, and its session is the other one's. */
  give(clientId: string): void;
  /** Another instance has a session of ours. */
  release(clientId: string): void;
  /** The instance that had a session's client is gone: session and will are ours to care for. */
  adopt(clientId: string, disconnectedAt: number | null, will: StoredWill | null): void;
  /** The will of a client whose instance is gone. */
  publishWill(will: StoredWill): void;
  /** What was published elsewhere may have been missed: these clients have to come again. */
  interrupted(clientIds: Iterable<string>): void;
  /** So many messages were too many for clients that are not here. */
  dropped(messages: number): void;
}

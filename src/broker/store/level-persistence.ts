import { Readable } from 'node:stream';
import type { PublishPacket } from '../aedes-internals.js';
import type { TopicTable } from '../delivery/topic-table.js';
import type { KeptSession } from '../session.js';
import { level, type OpenDatabase } from './database.js';
import {
  OutgoingQueues,
  type OutgoingUpdate,
  type Pubrel,
  type QueuedMessage,
  type Receiver,
} from './outgoing.js';
import type { StoredMessage } from './packet-codec.js';
import { type ReceivedMessage, ReceivedMessages } from './received.js';
import { RetainedRows } from './retained-rows.js';
import { Rows } from './rows.js';
import type { SessionRecord, StoredSubscription } from './session-codec.js';
import { StoreOfSession } from './session-part.js';
import { SessionTable, type StoredSessionSummary } from './session-table.js';
import type { Store } from './store.js';
import { type MatchingSubscription, type NewSubscription, Subscriptions } from './subscriptions.js';
import { type Will, Wills } from './wills.js';

const NOTHING_QUEUED = { messages: 0, bytes: 0 };

interface Client {
  readonly id: string;
}

export interface LevelPersistenceOptions {
  /** null: in memory, for as long as the process lives. */
  readonly folder: string | null;
  /** Whether a change is on the disk when its promise resolves, or handed to the operating system. */
  readonly sync: boolean;
  /** Something could not be written, and is tried again; each time once. */
  readonly onFault: (error: Error) => void;
  readonly database?: OpenDatabase;
}

/**
 * An aedes persistence on LevelDB. Sessions, subscriptions, packet identifiers and wills are in memory, too; messages
 * are on the disk only. What changes something returns the promise of the batch that it is written with.
 */
export class LevelPersistence implements Store {
  readonly others = null;
  readonly #rows: Rows;
  readonly #sessions: SessionTable;
  readonly #subscriptions: Subscriptions;
  readonly #outgoing: OutgoingQueues;
  readonly #received: ReceivedMessages;
  readonly #retained: RetainedRows;
  readonly #wills: Wills;
  #broker: { readonly id: string } = { id: '' };
  #destroyed = false;

  private constructor(rows: Rows, onFault: (error: Error) => void) {
    this.#rows = rows;
    this.#sessions = new SessionTable(rows, onFault);
    this.#subscriptions = new Subscriptions(rows, this.#sessions);
    this.#outgoing = new OutgoingQueues(rows, this.#sessions, () => this.#broker.id);
    this.#received = new ReceivedMessages(rows, this.#sessions);
    this.#retained = new RetainedRows(rows);
    this.#wills = new Wills(rows);
  }

  /** Rejects with STORE_IN_USE, STORE_UNUSABLE or STORE_VERSION; nothing is open then. */
  static async open(options: LevelPersistenceOptions): Promise<LevelPersistence> {
    const { database = level, onFault } = options;
    const rows = await Rows.open({ ...options, database });
    const persistence = new LevelPersistence(rows, onFault);
    try {
      await persistence.#sessions.load();
      await persistence.#wills.load();
      return persistence;
    } catch (error) {
      await rows.close();
      throw error;
    }
  }

  get broker(): { readonly id: string } {
    return this.#broker;
  }

  async setup(broker: { readonly id: string }): Promise<void> {
    this.#broker = broker;
  }

  storeRetained(packet: StoredMessage): Promise<void> {
    return this.#retained.store(packet);
  }

  createRetainedStream(pattern: string): Readable {
    return this.createRetainedStreamCombi([pattern]);
  }

  createRetainedStreamCombi(patterns: readonly string[]): Readable {
    return Readable.from(this.#retained.matching(patterns));
  }

  /** All of them: `#` does not match topics that begin with `$` [MQTT-4.7.2-1]. */
  retained(): AsyncIterable<StoredMessage> {
    return this.#retained.all();
  }

  addSubscriptions({ id }: Client, subscriptions: readonly NewSubscription[]): Promise<void> {
    return this.#subscriptions.add(id, subscriptions);
  }

  removeSubscriptions({ id }: Client, filters: readonly string[]): Promise<void> {
    return this.#subscriptions.remove(id, filters);
  }

  cleanSubscriptions({ id }: Client): Promise<void> {
    return this.#subscriptions.removeAll(id);
  }

  async subscriptionsByClient({ id }: Client): Promise<StoredSubscription[]> {
    return this.#subscriptions.ofClient(id);
  }

  async subscriptionsByTopic(topic: string): Promise<MatchingSubscription[]> {
    return this.#subscriptions.matching(topic);
  }

  getClientList(filter: string): Readable {
    return Readable.from(this.#subscriptions.clientsOf(filter));
  }

  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    return this.#subscriptions.count();
  }

  outgoingEnqueue(sub: Receiver, packet: PublishPacket): Promise<void> {
    return this.#outgoing.enqueue([sub], packet);
  }

  outgoingEnqueueCombi(subs: readonly Receiver[], packet: PublishPacket): Promise<void> {
    return this.#outgoing.enqueue(subs, packet);
  }

  outgoingUpdate({ id }: Client, packet: OutgoingUpdate): Promise<void> {
    return this.#outgoing.update(id, packet);
  }

  /** Resolves to what was cleared, if there was something; `outgoingAcknowledge` does not read it. */
  outgoingClearMessageId(
    { id }: Client,
    { messageId }: { messageId: number },
  ): Promise<QueuedMessage | Pubrel | undefined> {
    return this.#outgoing.clear(id, messageId);
  }

  outgoingAcknowledge({ id }: Client, { messageId }: { messageId: number }): Promise<void> {
    return this.#outgoing.acknowledge(id, messageId);
  }

  /** Of a message that has no identifier. */
  outgoingRemove({ id }: Client, counter: number, bytes: number): Promise<void> {
    return this.#outgoing.remove(id, counter, bytes);
  }

  outgoingStream({ id }: Client): Readable {
    return Readable.from(this.#outgoing.stream(id));
  }

  incomingStorePacket({ id }: Client, packet: ReceivedMessage): Promise<void> {
    return this.#received.store(id, packet);
  }

  incomingGetPacket({ id }: Client, { messageId }: { messageId: number }): Promise<ReceivedMessage> {
    return this.#received.get(id, messageId);
  }

  incomingDelPacket({ id }: Client, { messageId }: { messageId: number }): Promise<void> {
    return this.#received.remove(id, messageId);
  }

  cleanIncoming({ id }: Client): Promise<void> {
    return this.#received.removeAll(id);
  }

  /** The will gets the names of its broker and client. */
  putWill({ id }: Client, will: Will): Promise<void> {
    will.brokerId = this.#broker.id;
    will.clientId = id;
    return this.#wills.put(id, will);
  }

  async getWill({ id }: Client): Promise<Will | undefined> {
    return this.#wills.get(id);
  }

  delWill({ id }: Client): Promise<Will | undefined> {
    return this.#wills.remove(id);
  }

  streamWill(brokers: object = {}): Readable {
    return Readable.from(this.#wills.ofOthers(brokers));
  }

  partOf(clientId: string, topics: TopicTable): KeptSession {
    return new StoreOfSession(clientId, this, topics);
  }

  putSession(record: SessionRecord): Promise<void> {
    this.#sessions.put(record);
    return this.#rows.written();
  }

  /** Nothing of the session is left, its will included. */
  endSession(clientId: string): Promise<void> {
    this.#sessions.end(clientId);
    this.#wills.remove(clientId);
    return this.#rows.written();
  }

  /** What is queued for a client now: messages, and bytes of payload. */
  queued({ id }: Client): { readonly messages: number; readonly bytes: number } {
    return this.#sessions.get(id)?.counts ?? NOTHING_QUEUED;
  }

  /** Nothing is queued for a client, and no release is left to be sent. */
  nothingOutgoing({ id }: Client): boolean {
    const session = this.#sessions.get(id);
    return session === undefined || (session.counts.messages === 0 && session.inflight.size === 0);
  }

  /** Packet identifiers of QoS 2 messages received and not released. */
  received({ id }: Client): Iterable<number> {
    return this.#sessions.get(id)?.received ?? [];
  }

  sessions(): AsyncIterable<StoredSessionSummary> {
    return this.#sessions.summaries();
  }

  /** Removes the oldest messages of a client until no more than these are queued; resolves to how many. */
  trim(clientId: string, toMessages: number, toBytes: number): Promise<number> {
    return this.#outgoing.trim(clientId, toMessages, toBytes);
  }

  /** Everything put so far is handed to the operating system, or with `sync` on the disk. */
  written(): Promise<void> {
    return this.#rows.written();
  }

  /** As `written`; null if there is nothing to wait for. */
  get unwritten(): Promise<void> | null {
    return this.#rows.unwritten;
  }

  /** Writes what is not written yet and closes the database. */
  async destroy(): Promise<void> {
    if (this.#destroyed) throw new Error('the store is closed already');
    this.#destroyed = true;
    await this.#sessions.close();
    await this.#rows.close();
  }
}

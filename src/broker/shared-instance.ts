import type { Connections } from './connections.js';
import { Message } from './delivery/message.js';
import type { TopicTable } from './delivery/topic-table.js';
import type { Pipeline } from './pipeline.js';
import type { Retained } from './retained.js';
import type { Sessions } from './sessions.js';
import type { BrokerStats } from './stats.js';
import type { StoredMessage } from './store/packet-codec.js';
import type { SessionRecord, StoredSubscription } from './store/session-codec.js';
import type { StoredSessionSummary } from './store/session-table.js';
import type { Instance, StoredWill } from './store/store.js';
import type { Wills } from './wills.js';

const SESSION_TAKEN_OVER = 0x8e;
const SERVER_BUSY = 0x89;

export interface SharedInstanceParts {
  readonly topics: TopicTable;
  readonly sessions: Sessions;
  readonly retained: Retained;
  readonly wills: Wills;
  readonly pipeline: Pipeline;
  readonly connections: Connections;
  readonly stats: BrokerStats;
}

/** What this broker does about what happens at others that share its store. */
export class SharedInstance implements Instance {
  readonly #parts: SharedInstanceParts;

  constructor(parts: SharedInstanceParts) {
    this.#parts = parts;
  }

  clients(): Iterable<string> {
    return this.#parts.connections.clientIds();
  }

  arrived(message: StoredMessage, key: number, clientId: string | null): void {
    this.#parts.pipeline.arrived(this.#message(message, key, clientId));
  }

  retained(message: StoredMessage, key: number, clientId: string | null): void {
    this.#parts.retained.keep(this.#message(message, key, clientId));
  }

  retainedAnew(messages: AsyncIterable<StoredMessage>, ours: (topic: string) => boolean): Promise<void> {
    const { retained, topics } = this.#parts;
    retained.forget(ours);
    return retained.load(messages, topics, ours);
  }

  learn(stored: StoredSessionSummary): void {
    this.#parts.sessions.learn(stored);
  }

  changed({ clientId, user, expiryInterval }: SessionRecord): void {
    const session = this.#parts.sessions.get(clientId);
    if (session === undefined) return;
    session.identity = { ...session.identity, user };
    session.expiryInterval = expiryInterval;
  }

  subscribed(clientId: string, subscriptions: readonly StoredSubscription[]): void {
    const { sessions } = this.#parts;
    const session = sessions.get(clientId);
    if (session !== undefined) sessions.learnSubscriptions(session, subscriptions);
  }

  unsubscribed(clientId: string, filters: readonly string[]): void {
    const { sessions } = this.#parts;
    const session = sessions.get(clientId);
    if (session === undefined) return;
    for (const filter of filters) sessions.forgetSubscription(session, filter);
  }

  forget(clientId: string): void {
    const { sessions, wills } = this.#parts;
    const session = sessions.get(clientId);
    if (session === undefined) return;
    wills.cancel(session);
    sessions.forget(session);
  }

  give(clientId: string): void {
    this.#parts.connections.evict(clientId, SESSION_TAKEN_OVER, 'the client connected to another instance');
    this.release(clientId);
  }

  release(clientId: string): void {
    const { sessions } = this.#parts;
    const session = sessions.get(clientId);
    if (session !== undefined) sessions.release(session);
  }

  adopt(clientId: string, disconnectedAt: number | null, will: StoredWill | null): void {
    const { sessions, wills } = this.#parts;
    const session = sessions.get(clientId)!;
    if (will !== null) wills.restore(will, session);
    sessions.adopt(session, { disconnectedAt });
  }

  publishWill(will: StoredWill): void {
    this.#parts.wills.restore(will, undefined);
  }

  interrupted(clientIds: Iterable<string>): void {
    for (const clientId of clientIds)
      this.#parts.connections.evict(
        clientId,
        SERVER_BUSY,
        'what was published elsewhere may have been missed',
      );
  }

  dropped(messages: number): void {
    this.#parts.stats.dropped += messages;
  }

  #message({ topic, ...stored }: StoredMessage, key: number, clientId: string | null): Message {
    const payload = Buffer.from(stored.payload as Buffer);
    const message = Message.of(this.#parts.topics.named(topic), { ...stored, topic, payload }, Date.now());
    message.key = key;
    message.clientId = clientId;
    return message;
  }
}

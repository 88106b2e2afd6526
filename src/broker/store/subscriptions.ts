import { topicMatcher } from '../../topics.js';
import type { Rows } from './rows.js';
import { encodeSubscription, type StoredSubscription } from './session-codec.js';
import type { SessionTable } from './session-table.js';

/** As aedes gives them: an MQTT 3.1.1 subscription has a QoS only. */
export type NewSubscription = Pick<StoredSubscription, 'topic' | 'qos'> &
  Partial<Omit<StoredSubscription, 'topic' | 'qos'>>;

export type MatchingSubscription = Omit<StoredSubscription, 'subscriptionIdentifier'> & { clientId: string };

/** Subscriptions of sessions. The broker routes by a router of its own; who asks by topic here pays for a search. */
export class Subscriptions {
  readonly #rows: Rows;
  readonly #sessions: SessionTable;

  constructor(rows: Rows, sessions: SessionTable) {
    this.#rows = rows;
    this.#sessions = sessions;
  }

  add(clientId: string, subscriptions: readonly NewSubscription[]): Promise<void> {
    const session = this.#sessions.of(clientId);
    for (const { topic, qos, nl = false, rap = false, rh = 0, subscriptionIdentifier } of subscriptions) {
      const identifier = subscriptionIdentifier === undefined ? {} : { subscriptionIdentifier };
      const stored = { topic, qos, nl, rap, rh, ...identifier };
      session.subscriptions.set(topic, stored);
      this.#rows.put(session.subscriptionKey(topic), encodeSubscription(stored));
    }
    return this.#rows.written();
  }

  remove(clientId: string, filters: Iterable<string>): Promise<void> {
    const session = this.#sessions.get(clientId);
    for (const filter of filters) {
      if (session?.subscriptions.delete(filter)) this.#rows.delete(session.subscriptionKey(filter));
    }
    return this.#rows.written();
  }

  removeAll(clientId: string): Promise<void> {
    return this.remove(clientId, [...(this.#sessions.get(clientId)?.subscriptions.keys() ?? [])]);
  }

  ofClient(clientId: string): StoredSubscription[] {
    return [...(this.#sessions.get(clientId)?.subscriptions.values() ?? [])];
  }

  /** Those with QoS 1 and 2: only for these a message is queued. More general filters come first. */
  matching(topic: string): MatchingSubscription[] {
    const matching: MatchingSubscription[] = [];
    for (const { clientId, subscriptions } of this.#sessions.all()) {
      for (const { subscriptionIdentifier: _, ...subscription } of subscriptions.values()) {
        if (subscription.qos === 0 || !topicMatcher(subscription.topic)(topic)) continue;
        matching.push({ clientId, ...subscription });
      }
    }
    return matching.sort((a, b) => (a.topic > b.topic ? -1 : a.topic < b.topic ? 1 : 0));
  }

  *clientsOf(filter: string): Generator<string> {
    for (const { clientId, subscriptions } of this.#sessions.all()) {
      if (subscriptions.has(filter)) yield clientId;
    }
  }

  /** Subscriptions with QoS 1 and 2, and clients that have any. */
  count(): { subsCount: number; clientsCount: number } {
    let subsCount = 0;
    let clientsCount = 0;
    for (const { subscriptions } of this.#sessions.all()) {
      if (subscriptions.size > 0) clientsCount++;
      for (const { qos } of subscriptions.values()) if (qos > 0) subsCount++;
    }
    return { subsCount, clientsCount };
  }
}

import { filterIn, KIND, numberIn, valueIn } from './keys.js';
import type { Rows } from './rows.js';
import { decodeAssignment, decodeCounts, decodeSession, decodeSubscription } from './session-codec.js';
import { StoredSession } from './stored-session.js';

export interface Loaded {
  readonly sessions: readonly StoredSession[];
  /** Numbers of sessions whose messages were not removed yet. */
  readonly ended: readonly number[];
}

/** Reads all rows of sessions but their messages. Rejects with STORE_UNUSABLE if they do not fit together. */
export async function loadSessions(rows: Rows): Promise<Loaded> {
  const sessions = new Map<number, StoredSession>();
  const ended: number[] = [];
  const owner = (key: string): StoredSession => {
    const session = sessions.get(numberIn(key));
    if (session === undefined) throw new Error(`row ${key.slice(0, 64)} belongs to no session`);
    return session;
  };
  try {
    for await (const [key, value] of rows.range(KIND.session)) {
      const number = numberIn(key);
      sessions.set(number, new StoredSession(number, decodeSession(value)));
    }
    for await (const [key, value] of rows.range(KIND.counts)) owner(key).counts = decodeCounts(value);
    for await (const [key, value] of rows.range(KIND.subscription)) {
      const filter = filterIn(key);
      owner(key).subscriptions.set(filter, decodeSubscription(filter, value));
    }
    for await (const [key, value] of rows.range(KIND.inflight)) {
      owner(key).assign({ counter: valueIn(key), ...decodeAssignment(value), confirmed: null });
    }
    for await (const [key] of rows.range(KIND.received)) owner(key).received.add(valueIn(key));
    for await (const [key] of rows.range(KIND.ended)) ended.push(numberIn(key));
  } catch (error) {
    throw rows.unusable(error);
  }
  return { sessions: [...sessions.values()], ended };
}

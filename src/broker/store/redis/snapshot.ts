import { decodeSubscription, type SessionRecord } from '../session-codec.js';
import type { StoredSessionSummary } from '../session-table.js';
import { NOTHING_QUEUED } from './hearing.js';
import type { Answer, Link } from './link.js';
import { pairs } from './queue-of-session.js';

/** Asked for at once. */
const STEP = 500;

export interface FoundSession extends StoredSessionSummary {
  /** The instance that has the client; null: none. */
  readonly own: string | null;
  readonly gen: string;
}

/** All sessions that last. One that changes meanwhile is as before or as after. */
export async function* readSessions(link: Link): AsyncGenerator<FoundSession> {
  const clientIds = ((await link.ask('smembers', 'sessions')) as Buffer[]).map(String);
  for (let at = 0; at < clientIds.length; at += STEP) {
    const step = clientIds.slice(at, at + STEP);
    const found = await Promise.all(step.map((clientId) => readSession(link, clientId)));
    for (const session of found) if (session !== null) yield session;
  }
}

/** null: it is over. */
async function readSession(link: Link, clientId: string): Promise<FoundSession | null> {
  const [fields, filters] = (await link.run('find', [clientId])) as [(Buffer | null)[], Answer];
  const [own, gen, record] = fields.map((field) => field?.toString() ?? null) as (string | null)[];
  if (!gen || !record) return null;
  return {
    ...(JSON.parse(record) as Omit<SessionRecord, 'clientId'>),
    clientId,
    own: own ?? null,
    gen,
    subscriptions: pairs(filters).map(([filter, options]) => decodeSubscription(filter, options)),
    queued: NOTHING_QUEUED,
  };
}

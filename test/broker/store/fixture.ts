import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import {
  LevelPersistence,
  type LevelPersistenceOptions,
} from '../../../src/broker/store/level-persistence.js';
import type { StoredSessionSummary } from '../../../src/broker/store/session-table.js';

/** A folder for the tests of a file, gone when they are. */
const root = mkdtempSync(join(tmpdir(), 'mqtt-stream-store-'));
after(() => rm(root, { recursive: true }));
let folders = 0;

export function newFolder(): string {
  return join(root, String(folders++), 'store');
}

/** A store that ends the test that hears of a fault. */
export async function opened(options: Partial<LevelPersistenceOptions> = {}): Promise<LevelPersistence> {
  const onFault = (error: Error) => {
    throw error;
  };
  return LevelPersistence.open({ folder: newFolder(), sync: false, onFault, ...options });
}

/** One that is closed when the test ends, and what opens it again. */
export async function reopenable(t: TestContext, options: Partial<LevelPersistenceOptions> = {}) {
  const folder = newFolder();
  let boots = 0;
  let store: LevelPersistence;
  const boot = async () => {
    store = await opened({ folder, ...options });
    await store.setup({ id: `boot-${boots++}` });
    return store;
  };
  await boot();
  t.after(() => store.destroy());
  return {
    folder,
    get store() {
      return store;
    },
    async reopen() {
      await store.destroy();
      return boot();
    },
  };
}

/** What waits for a client, one text each: `<payload>`, `<payload>#<identifier>` or `pubrel#<identifier>`. */
export async function queueOf(store: LevelPersistence, clientId: string): Promise<string[]> {
  const queue: string[] = [];
  for await (const { cmd, payload, messageId } of store.outgoingStream({ id: clientId })) {
    queue.push(`${cmd === 'pubrel' ? cmd : payload}${messageId === undefined ? '' : `#${messageId}`}`);
  }
  return queue;
}

export async function sessionsOf(store: LevelPersistence): Promise<StoredSessionSummary[]> {
  const sessions: StoredSessionSummary[] = [];
  for await (const session of store.sessions()) sessions.push(session);
  return sessions;
}

export async function queuedOf(store: LevelPersistence, clientId: string) {
  return (await sessionsOf(store)).find((session) => session.clientId === clientId)?.queued;
}

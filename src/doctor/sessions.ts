/** The store of sessions, as the broker opens it. */
import { join } from 'node:path';
import { LevelPersistence } from '../broker/store/level-persistence.js';
import { asKnown } from '../errors.js';
import { type Patient, SESSIONS_FOLDER } from './folder.js';

export async function checkSessions({ dataDir, inUse, report }: Patient): Promise<void> {
  const path = SESSIONS_FOLDER;
  if (inUse) {
    report.note({ path, what: 'is open in the process that holds the folder, and was not looked at' });
    return;
  }
  try {
    const store = await LevelPersistence.open({
      folder: join(dataDir, path),
      sync: false,
      onFault: () => {},
    });
    await store.destroy();
  } catch (error) {
    const { code, message } = asKnown(error);
    const advice = `see ${code} in docs/errors.md`;
    report.finding({ kind: 'sessions', path, what: `cannot be opened: ${message}`, advice });
  }
}

import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import {
  LevelPersistence,
  type LevelPersistenceOptions,
} from '../../../src/broker/store/level-persistence.js';

/** A folder for this file's tests, gone when they are. */
const root = mkdtempSync(join(tmpdir(), 'mqtt-stream-store-'));
after(() => rm(root, { recursive: true }));
let folders = 0;

export function newFolder(): string {
  return join(root, String(folders++), 'store');
}

/** A store that fails the test that hears of a fault. */
export function opened(options: Partial<LevelPersistenceOptions> = {}): Promise<LevelPersistence> {
  const onFault = (error: Error) => {
    throw error;
  };
  return LevelPersistence.open({ folder: newFolder(), sync: false, onFault, ...options });
}

import { LevelPersistence } from './level-persistence.js';
import { RedisStore, type RedisStoreOptions } from './redis/redis-store.js';
import type { Store } from './store.js';

export interface StoreChoice {
  readonly store: 'level' | 'memory' | 'redis';
  readonly sync: boolean;
  readonly redis: { readonly url: string; readonly prefix: string };
}

/** Rejects with the code of the store's kind that cannot be opened. */
export function openStore(
  { store, sync, redis }: StoreChoice,
  parts: Omit<RedisStoreOptions, 'url' | 'prefix'> & { readonly folder: string },
): Promise<Store> {
  const { folder, onFault } = parts;
  if (store === 'redis') return RedisStore.open({ ...parts, ...redis });
  return LevelPersistence.open({ folder: store === 'memory' ? null : folder, sync, onFault });
}

import * as files from 'node:fs/promises';
import type { Catalog } from '../catalog/catalog.js';
import { correctionsIn } from '../clock/correction.js';
import type { KnownKeys } from '../clock/store.js';
import { lastJournalKey } from '../recorder/journal/last-key.js';
import type { Keyring } from '../seal/keyring.js';

/** What a data folder tells of the keys that were given, besides the state of the clock. */
export function knownKeys(dataDir: string, catalog: Catalog, keyring: Keyring): KnownKeys {
  return {
    maxKey: catalog.maxKey(),
    journalKey: () => lastJournalKey(dataDir, files, keyring),
    corrections: () => correctionsIn(catalog.corrections()),
  };
}

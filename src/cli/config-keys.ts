import * as files from 'node:fs/promises';
import { openKeyring } from '../app/encryption.js';
import type { Config } from '../config/schema.js';
import type { Keyring } from '../seal/keyring.js';

/** The keys that a configuration names. @throws KEY_UNUSABLE */
export function keysOf({ encryption }: Config): Promise<Keyring> {
  return openKeyring(encryption, { files, env: process.env });
}

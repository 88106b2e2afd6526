import { createHash, createSecretKey } from 'node:crypto';
import { Keyring, type NamedKey } from '../../src/seal/keyring.js';

/** The 32 bytes of a key of this name; another name, or another `kind`, is another key. */
export function keyBytes(name: string, kind = ''): Buffer {
  return createHash('sha256').update(`${kind}/${name}`).digest();
}

export function namedKey(id: string, kind = ''): NamedKey {
  return { id, key: createSecretKey(keyBytes(id, kind)) };
}

/** The first one wraps. */
export function keyringOf(...ids: string[]): Keyring {
  return new Keyring(ids.map((id) => namedKey(id)));
}

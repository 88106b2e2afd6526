/** The keys of a process: as the configuration says where they are, and as an embedder gives them. */
import type { EncryptionConfig } from '../config/encryption.js';
import { MqttStreamError, textOf } from '../errors.js';
import { checkIds, Keyring, type NamedKey, parseKey, parseKeyText } from '../seal/keyring.js';

/** What an embedder gives. */
export interface EncryptionKey {
  /** 1 to 64 characters of A-Z a-z 0-9 . _ -; stands in every file that it has encrypted. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** What of `node:fs/promises` is used. */
export interface KeyFiles {
  open(path: string): Promise<{
    stat(): Promise<{ readonly mode: number }>;
    readFile(): Promise<Buffer>;
    close(): Promise<void>;
  }>;
}

export interface KeyPlaces {
  readonly files: KeyFiles;
  readonly env: NodeJS.ProcessEnv;
}

const FOR_OTHERS = 0o077;
const FORMS = 'expected 32 bytes, or these as hex or base64';

/**
 * All keys, those that `more` gives first: the first of all wraps. Rejects with `KEY_UNUSABLE` if one cannot be had; no key is
 * passed over.
 */
export async function openKeyring(
  { keys }: EncryptionConfig,
  places: KeyPlaces,
  more: () => Promise<readonly EncryptionKey[]> = async () => [],
): Promise<Keyring> {
  const embedded = await more().catch((cause: unknown) => {
    throw unusable('of the embedding program', textOf(cause), cause);
  });
  const given = embedded.map(({ id, key }) => ({ id, key: keyOf(id, key) }));
  const configured = await Promise.all(keys.map((key) => keyAt(key, places)));
  const all = [...given, ...configured];
  checkIds(all.map(({ id }) => id));
  return new Keyring(all);
}

/** The key in a file that only its owner may read. Rejects with `KEY_UNUSABLE`. */
export async function keyInFile(path: string, name: string, files: KeyFiles): Promise<NamedKey['key']> {
  try {
    const file = await files.open(path);
    try {
      const { mode } = await file.stat();
      if ((mode & FOR_OTHERS) !== 0) throw unusable(name, `others may read or write ${path}: chmod 600 it`);
      return keyOf(name, await file.readFile());
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof MqttStreamError) throw cause;
    throw unusable(name, textOf(cause), cause);
  }
}

/** The key in a variable. Throws `KEY_UNUSABLE`. */
export function keyInVariable(variable: string, name: string, env: NodeJS.ProcessEnv): NamedKey['key'] {
  const text = env[variable];
  if (text === undefined) throw unusable(name, `the variable ${variable} is not set`);
  const key = parseKeyText(text);
  if (key === null) throw unusable(name, 'expected 32 bytes as hex or base64');
  return key;
}

async function keyAt({ id, file, env }: EncryptionConfig['keys'][number], places: KeyPlaces) {
  const key =
    file === undefined ? keyInVariable(env!, id, places.env) : await keyInFile(file, id, places.files);
  return { id, key };
}

function keyOf(name: string, bytes: Uint8Array): NamedKey['key'] {
  const key = parseKey(bytes);
  if (key === null) throw unusable(name, FORMS);
  return key;
}

function unusable(name: string, why: string, cause?: unknown): MqttStreamError {
  return new MqttStreamError('KEY_UNUSABLE', [name, why], { cause });
}

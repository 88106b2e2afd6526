import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MqttStreamError, textOf } from '../errors.js';
import { StoredBytes } from '../seal/byte-source.js';
import { FRAME_BYTES, SEALED_SUFFIX } from '../seal/envelope.js';
import type { Keyring } from '../seal/keyring.js';
import { isSealedName, openedName } from '../seal/offered.js';
import { OpenedBytes } from '../seal/opened-bytes.js';
import { keysOf } from './config-keys.js';
import { type ConfigOptions, configOf, withConfig } from './config-options.js';
import { OK } from './failure.js';
import { type KeyOptions, keyringOf, withKeys } from './key-options.js';
import { bytesText } from './quantity-text.js';
import { type CommonOptions, verb } from './verb.js';

type DecryptOptions = ConfigOptions & KeyOptions & { readonly out: string };

/** For whoever owns it only. */
const PRIVATE = 0o600;

export const decryptVerb = verb<DecryptOptions>({
  name: 'decrypt',
  summary: 'decrypt files to Parquet, with keys that are given here or those of the configuration',
  options: (command) =>
    withConfig(withKeys(command.argument('<file...>', `files that end in ${SEALED_SUFFIX}`))).option(
      '--out <folder>',
      'where to put them; not into the data folder',
      '.',
    ),
  examples: [
    'decrypt data/streams/vehicle/date=2026-05-04/*.enc --out decrypted',
    'decrypt received/*.enc --key-file keys/2026-a',
  ],
  run: async (options, terminal, paths) => {
    const keyring = await keyringFor(options);
    await mkdir(options.out, { recursive: true });
    for (const path of paths) {
      const to = join(options.out, openedName(basename(path)));
      const bytes = await decrypt(path, to, keyring);
      terminal.out(options.json ? JSON.stringify({ file: to, bytes }) : `${to} (${bytesText(bytes)})`);
    }
    return OK;
  },
});

async function keyringFor(options: DecryptOptions & CommonOptions): Promise<Keyring> {
  if (options.keyFile !== undefined || options.keyEnv !== undefined) return keyringOf(options);
  return keysOf(await configOf(options));
}

/** The number of bytes. Nothing stands at `to` before all of it has been opened. @throws KEY_MISSING, KEY_WRONG, DECRYPT_FAILED */
async function decrypt(path: string, to: string, keyring: Keyring): Promise<number> {
  const temporary = `${to}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    if (!isSealedName(path)) throw new Error(`its name does not end in ${SEALED_SUFFIX}`);
    if (await isThere(to)) throw new Error(`there is a file ${to} already`);
    const from = await open(path, 'r');
    try {
      const stored = new StoredBytes(from, (await from.stat()).size);
      const opened = await OpenedBytes.open(stored, keyring, path);
      const into = await open(temporary, 'wx', PRIVATE);
      try {
        await copy(opened, into);
        await into.sync();
      } finally {
        await into.close();
      }
      await rename(temporary, to);
      return opened.byteLength;
    } finally {
      await from.close();
    }
  } catch (cause) {
    if (cause instanceof MqttStreamError) throw cause;
    throw new MqttStreamError('DECRYPT_FAILED', [path, textOf(cause)], { cause });
  } finally {
    await rm(temporary, { force: true });
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function copy(from: OpenedBytes, into: FileHandle): Promise<void> {
  for (let at = 0; at < from.byteLength; at += FRAME_BYTES) {
    const piece = new Uint8Array(Math.min(FRAME_BYTES, from.byteLength - at));
    await from.read(piece, at);
    // One that writes all, unlike `write`.
    await into.writeFile(piece);
  }
}

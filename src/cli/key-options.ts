import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import { keyInFile, keyInVariable } from '../app/encryption.js';
import { Keyring } from '../seal/keyring.js';

/** Keys where there is no configuration that names them. */
export interface KeyOptions {
  readonly keyFile?: readonly string[];
  readonly keyEnv?: readonly string[];
}

export function withKeys(command: Command): Command {
  const several = (value: string, before: readonly string[] = []) => [...before, value];
  return command
    .option('--key-file <file>', 'a key that files were encrypted with; may be given several times', several)
    .option('--key-env <name>', 'the same, in a variable', several);
}

/** They open whatever they fit, and need no ids. @throws KEY_UNUSABLE */
export async function keyringOf({ keyFile = [], keyEnv = [] }: KeyOptions): Promise<Keyring> {
  const files = await Promise.all(keyFile.map((file) => keyInFile(file, file, { open })));
  const variables = keyEnv.map((name) => keyInVariable(name, name, process.env));
  return new Keyring([...files, ...variables].map((key) => ({ id: null, key })));
}

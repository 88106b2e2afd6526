import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { DEFAULT_FILE, loadConfig } from '../config/file.js';
import type { Config } from '../config/schema.js';
import { settingsOf } from './settings.js';
import type { CommonOptions } from './verb.js';

/** Of the verbs that read a configuration. */
export interface ConfigOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly set?: readonly string[];
}

export function withConfig(command: Command): Command {
  return command
    .option('--config <file>', `the configuration; without it ${DEFAULT_FILE}, if there is one`)
    .option('--data-dir <folder>', 'dataDir of the configuration')
    .option(
      '--set <key=value>',
      'a value of the configuration, as YAML; may be given several times',
      (value: string, before: readonly string[] = []) => [...before, value],
    );
}

/** File, environment and command line together. @throws CONFIG_INVALID, CONFIG_UNREADABLE */
export function configOf({
  config: file,
  dataDir,
  set = [],
  json,
}: ConfigOptions & CommonOptions): Promise<Config> {
  const settings = settingsOf([...(json ? ['log.format=json'] : []), ...set]);
  if (dataDir !== undefined) settings.dataDir = dataDir;
  return loadConfig({
    ...(file === undefined ? {} : { file }),
    env: process.env,
    overrides: settings,
    readFile: (path) => readFile(path, 'utf8'),
  });
}

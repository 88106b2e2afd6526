import * as files from 'node:fs/promises';
import { resolve } from 'node:path';
import { examine } from '../doctor/doctor.js';
import type { Finding, Note } from '../doctor/finding.js';
import { Keyring } from '../seal/keyring.js';
import { keysOf } from './config-keys.js';
import { type ConfigOptions, configOf } from './config-options.js';
import { FAILED, MISUSED, OK, reportFailure } from './failure.js';
import { countText, ofThem } from './quantity-text.js';
import { verb } from './verb.js';

export const doctorVerb = verb<Pick<ConfigOptions, 'config'>>({
  name: 'doctor',
  summary: 'check a data folder: every file, journal, record of gaps, clock, rights, space',
  options: (command) =>
    command
      .argument('[dir]', 'the data folder; without it that of the configuration')
      .option('--config <file>', 'the configuration that names it, and the keys of encrypted streams'),
  examples: ['doctor', 'doctor /var/lib/mqtt-stream', 'doctor data --json'],
  run: async ({ json, config }, terminal, [dir]) => {
    let found = 0;
    const finding = (one: Finding) => {
      found++;
      const { path, what, advice } = one;
      terminal.out(json ? JSON.stringify(one) : `${path}: ${what} (${advice})`);
    };
    const note = (one: Note) => terminal.err(json ? JSON.stringify(one) : `${one.path}: ${one.what}`);
    const progress = (done: number, of: number) =>
      terminal.progress(() => `${countText(done)} of ${ofThem(of, 'file')}`);
    try {
      const configured = dir === undefined || config !== undefined ? await configOf({ config }) : null;
      const dataDir = dir === undefined ? configured!.dataDir : resolve(dir);
      const keyring = configured === null ? Keyring.EMPTY : await keysOf(configured);
      const report = { finding, note, progress };
      await examine({ dataDir, files, report, keyring, now: Date.now() * 1000 });
    } catch (error) {
      reportFailure(error, terminal, json === true);
      return MISUSED;
    }
    terminal.err(
      json
        ? JSON.stringify({ findings: found })
        : found === 0
          ? 'nothing is wrong'
          : ofThem(found, 'finding'),
    );
    return found === 0 ? OK : FAILED;
  },
});

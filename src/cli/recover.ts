import { resolve } from 'node:path';
import { recoverFolder } from '../app/recover-folder.js';
import { systemTime } from '../clock/time.js';
import { createLog } from '../log.js';
import { Keyring } from '../seal/keyring.js';
import { keysOf } from './config-keys.js';
import { configOf } from './config-options.js';
import { OK } from './failure.js';
import { ofThem } from './quantity-text.js';
import { verb } from './verb.js';

export const recoverVerb = verb<{ readonly config?: string }>({
  name: 'recover',
  summary: 'put what a process has left in its journals into files, without starting a broker',
  options: (command) =>
    command
      .argument('<dir>', 'the data folder')
      .option('--config <file>', 'the configuration, for its keys: needed where streams are encrypted'),
  examples: ['recover ./data', 'recover /var/lib/mqtt-stream --config vehicle.yaml --json'],
  run: async ({ config, json }, terminal, [dir]) => {
    const keyring = config === undefined ? Keyring.EMPTY : await keysOf(await configOf({ config }));
    const log = createLog({ level: 'warn', format: json ? 'json' : 'text' }, (line) =>
      terminal.err(line.trimEnd()),
    );
    for (const found of await recoverFolder(resolve(dir!), systemTime(), log, keyring)) {
      const { stream, messages, files, tornBytes, incomplete } = found;
      if (json) terminal.out(JSON.stringify(found));
      else if (files.length === 0 && tornBytes === 0 && !incomplete)
        terminal.out(`${stream}: nothing to recover`);
      else {
        const torn = tornBytes === 0 ? '' : `; ${tornBytes} bytes were no whole block`;
        const missing = incomplete
          ? '; others are missing or could not be read, and a gap "unknown" tells it'
          : '';
        terminal.out(`${stream}: ${ofThem(messages, 'message')} recovered${torn}${missing}`);
        for (const file of files) terminal.out(`  ${file}`);
      }
    }
    return OK;
  },
});

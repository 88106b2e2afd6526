import { resolve } from 'node:path';
import { systemTime } from '../clock/time.js';
import { createLog } from '../log.js';
import { recoverFolder } from '../recovering.js';
import { OK } from './failure.js';
import { verb } from './verb.js';

export const recoverVerb = verb<object>({
  name: 'recover',
  summary: 'put what a process has left in its journals into files, without starting a broker',
  options: (command) => command.argument('<dir>', 'the data folder'),
  examples: ['recover ./data', 'recover /var/lib/mqtt-stream --json'],
  run: async ({ json }, terminal, [dir]) => {
    const log = createLog({ level: 'warn', format: json ? 'json' : 'text' }, (line) =>
      terminal.err(line.trimEnd()),
    );
    for (const found of await recoverFolder(resolve(dir!), systemTime(), log)) {
      const { stream, messages, files, tornBytes } = found;
      if (json) terminal.out(JSON.stringify(found));
      else if (files.length === 0 && tornBytes === 0) terminal.out(`${stream}: nothing to recover`);
      else {
        const torn = tornBytes === 0 ? '' : `; ${tornBytes} bytes were no whole block`;
        terminal.out(`${stream}: ${messages} messages recovered${torn}`);
        for (const file of files) terminal.out(`  ${file}`);
      }
    }
    return OK;
  },
});

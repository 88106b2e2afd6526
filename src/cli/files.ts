import { OK } from './failure.js';
import { type ListedFile, listedFiles } from './listed-file.js';
import { askWithTime, type RangeOptions, rangeOf, withRange } from './request-options.js';
import { missingLines } from './summary.js';
import { verb } from './verb.js';

export const filesVerb = verb<RangeOptions>({
  name: 'files',
  summary: 'list the files of a stream, of all times or those that overlap a range',
  options: withRange,
  examples: ['files --stream vehicle', 'files --stream vehicle --from -1h --json'],
  run: async (options, terminal) => {
    const { result, wall } = await askWithTime(options, 'files', rangeOf(options), terminal);
    if (options.json) {
      terminal.out(JSON.stringify(result));
      return OK;
    }
    const files = result.files as readonly ListedFile[];
    for (const line of listedFiles(files, wall)) terminal.out(line);
    if (files.length === 0) terminal.err('no files');
    for (const line of missingLines(result, wall)) terminal.err(line);
    return OK;
  },
});

import { OK } from './failure.js';
import { type ListedFile, listedFiles } from './listed-file.js';
import { askWithTime, type RequestOptions, withRequest } from './request-options.js';
import { verb } from './verb.js';

export const flushVerb = verb<RequestOptions>({
  name: 'flush',
  summary: 'have everything a stream holds in memory written to a file; ends when it is',
  options: withRequest,
  examples: ['flush --stream vehicle', 'flush --stream vehicle --url mqtt://10.0.0.5:1883 --json'],
  run: async (options, terminal) => {
    const { result, wall } = await askWithTime(options, 'flush', {}, terminal);
    const files = result.files as readonly ListedFile[];
    if (options.json) terminal.out(JSON.stringify(result));
    else if (files.length === 0) terminal.out('nothing to write: everything was in files');
    else for (const line of listedFiles(files, wall)) terminal.out(line);
    return OK;
  },
});

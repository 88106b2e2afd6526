import { targetOf } from './broker-options.js';
import { OK } from './failure.js';
import { FileReception } from './file-reception.js';
import { type ListedFile, listedFiles } from './listed-file.js';
import { messageJson, messageLine } from './message.js';
import { count } from './option-values.js';
import {
  askWithTime,
  newRequestId,
  type RangeOptions,
  rangeOf,
  silenceOf,
  withRange,
} from './request-options.js';
import { messagesSoFar, summaryLines } from './summary.js';
import { verb } from './verb.js';

interface SearchOptions extends RangeOptions {
  readonly topic?: string;
  readonly limit?: number;
  readonly dir?: string;
}

export const searchVerb = verb<SearchOptions>({
  name: 'search',
  summary: 'print the messages of a stream that are in no file yet, and name the files that hold the others',
  options: (command) =>
    withRange(command)
      .option('--topic <filter>', 'only topics that match; files come as they are')
      .option('--limit <messages>', 'at most so many messages', count)
      .option('--dir <folder>', 'also receive the files, to <folder>/<id>/, and verify them'),
  examples: [
    'search --stream vehicle --from -10m',
    'search --stream vehicle --from -1h --dir ./found',
    'search --stream vehicle --topic "vehicle/gps" --json',
  ],
  run: async (options, terminal) => {
    const { topic, limit, json, dir, id = newRequestId() } = options;
    const silenceMs = silenceOf(options);
    const reception =
      dir === undefined
        ? null
        : await FileReception.start({ target: await targetOf(options), dir, id, silenceMs });
    try {
      let printed = 0;
      const request = { ...rangeOf(options), topic, limit };
      const asked = { ...options, id };
      const { result, wall } = await askWithTime(asked, 'search', request, terminal, (message, wall) => {
        printed++;
        terminal.out(json ? messageJson(message, wall) : messageLine(message, wall));
        terminal.progress(() => messagesSoFar(printed));
      });
      const files = result.files as readonly ListedFile[];
      if (json) terminal.err(JSON.stringify(result));
      else
        for (const line of [...summaryLines(result, wall), ...listedFiles(files, wall)]) terminal.err(line);
      await reception?.files(files, (file) =>
        terminal.err(json ? JSON.stringify({ file }) : `received ${file.path}, verified`),
      );
      return OK;
    } finally {
      await reception?.close();
    }
  },
});

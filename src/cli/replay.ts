import { OK } from './failure.js';
import { messageJson, messageLine } from './message.js';
import { count, rate } from './option-values.js';
import { askWithTime, type RangeOptions, rangeOf, withRange } from './request-options.js';
import { messagesSoFar, summaryLines } from './summary.js';
import { verb } from './verb.js';

interface ReplayOptions extends RangeOptions {
  readonly topic?: string;
  readonly rate?: number;
  readonly limit?: number;
}

export const replayVerb = verb<ReplayOptions>({
  name: 'replay',
  summary: 'print the messages of a stream, from files and memory, in the order of their keys',
  options: (command) =>
    withRange(command)
      .option('--topic <filter>', 'only topics that match')
      .option(
        '--rate <factor>',
        '0: as fast as possible (default), 1: original timing, 10: ten times as fast',
        rate,
      )
      .option('--limit <messages>', 'at most so many', count),
  examples: [
    'replay --stream vehicle --from -10m',
    'replay --stream vehicle --topic "vehicle/can/#" --rate 1',
    'replay --stream vehicle --from 2026-01-31T12:00:00Z --to 2026-01-31T12:05:00Z --json > messages.jsonl',
  ],
  run: async (options, terminal) => {
    const { topic, rate, limit, json } = options;
    let printed = 0;
    // In original timing an hour without a message is an hour of silence.
    const patient = rate !== undefined && rate > 0 && options.timeout === undefined;
    const { result, wall } = await askWithTime(
      options,
      'replay',
      { ...rangeOf(options), topic, rate, limit },
      terminal,
      (message, wall) => {
        printed++;
        terminal.out(json ? messageJson(message, wall) : messageLine(message, wall));
        terminal.progress(() => messagesSoFar(printed));
      },
      patient ? 0 : undefined,
    );
    if (json) terminal.err(JSON.stringify(result));
    else for (const line of summaryLines(result, wall)) terminal.err(line);
    return OK;
  },
});

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import type { Result } from '../query/requests.js';
import { count, requestId, time } from './option-values.js';
import { type Question, RequestClient } from './request-client.js';

export const DEFAULT_URL = 'mqtt://127.0.0.1:1883';

/** Of the verbs that ask a broker. */
export interface RequestOptions {
  readonly url: string;
  readonly stream: string;
  readonly id?: string;
  /** Seconds. */
  readonly timeout?: number;
}

export interface RangeOptions extends RequestOptions {
  readonly from?: number | string;
  readonly to?: number | string;
  readonly keys?: true;
}

const SILENCE_S = 60;

export function withUrl(command: Command): Command {
  return command.option('--url <url>', 'the broker: mqtt://, mqtts://, ws:// or wss://', DEFAULT_URL);
}

export function withRequest(command: Command): Command {
  return withUrl(command)
    .requiredOption('--stream <name>', 'the stream')
    .option('--id <id>', 'the id of the request; made up without it', requestId)
    .option('--timeout <seconds>', `give up when nothing comes for so long (${SILENCE_S})`, count);
}

export function withRange(command: Command): Command {
  return withRequest(command)
    .option('--from <time>', 'first time: microseconds, ISO 8601, now, or -10m for before now', time)
    .option('--to <time>', 'last time, in the same forms', time)
    .option('--keys', '--from and --to are keys, as printed, and not wall time');
}

/** The keys that all requests about a time have. */
export function rangeOf({ from, to, keys }: RangeOptions): object {
  return { ranges: [{ start: from, end: to }], ...(keys ? { time: 'key' } : {}) };
}

/** How long nothing may come, ms; 0: as long as it takes. */
export function silenceOf({ timeout = SILENCE_S }: RequestOptions): number {
  return timeout * 1000;
}

/** Asks one question, over a connection of its own. Throws as `RequestClient`. */
export async function ask(
  options: RequestOptions,
  verb: Question['verb'],
  request: object,
  onMessage?: Question['onMessage'],
  silenceMs = silenceOf(options),
): Promise<Result> {
  const { url, id, stream } = options;
  const client = await RequestClient.connect(url);
  try {
    return await client.ask({
      verb,
      request: { ...request, id: id ?? newRequestId(), stream },
      ...(onMessage === undefined ? {} : { onMessage }),
      silenceMs,
    });
  } finally {
    await client.close();
  }
}

export function newRequestId(): string {
  return `cli-${randomBytes(8).toString('hex')}`;
}

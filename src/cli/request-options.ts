import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import type { Result } from '../query/result.js';
import { type BrokerOptions, targetOf, withBroker } from './broker-options.js';
import { count, requestId, time } from './option-values.js';
import { type Question, RequestClient } from './request-client.js';

/** Of the verbs that ask a broker. */
export interface RequestOptions extends BrokerOptions {
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

export function withRequest(command: Command): Command {
  return withBroker(command)
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
  const { id, stream } = options;
  const client = await RequestClient.connect(await targetOf(options));
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

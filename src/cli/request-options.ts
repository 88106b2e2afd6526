import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import type { Result } from '../query/result.js';
import { type BrokerOptions, targetOf, withBroker } from './broker-options.js';
import type { FoundMessage } from './message.js';
import { count, requestId, time } from './option-values.js';
import { type Question, RequestClient } from './request-client.js';
import type { Terminal } from './terminal.js';
import type { CommonOptions } from './verb.js';
import { UNKNOWN_WALL_TIME, type WallTime, wallTimeBy } from './wall-time.js';

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
/** Reason code of MQTT 5, which the client's library gives as the code of its error. */
const NOT_AUTHORIZED = 0x87;

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
export async function ask(options: RequestOptions, verb: Question['verb'], request: object): Promise<Result> {
  return connected(options, (client) => client.ask(questionOf(options, verb, request)));
}

/** As `ask`, if keys are to be shown: what turns them into wall time is asked first, since messages come before a result. */
export async function askWithTime(
  options: RequestOptions & CommonOptions,
  verb: Question['verb'],
  request: object,
  terminal: Terminal,
  onMessage?: (message: FoundMessage, wall: WallTime) => void,
  silenceMs?: number,
): Promise<{ readonly result: Result; readonly wall: WallTime }> {
  return connected(options, async (client) => {
    let wall = UNKNOWN_WALL_TIME;
    const question = questionOf(options, verb, request, silenceMs);
    try {
      const { id, stream } = question.request;
      const status = { ...question, verb: 'status', request: { id, stream } } as const;
      wall = wallTimeBy((await client.ask(status)).corrections);
    } catch (error) {
      // Not everybody who may ask the one may ask the other.
      if ((error as { code?: unknown }).code !== NOT_AUTHORIZED) throw error;
      const note = 'wall time is not shown: the rules do not let this client ask for $STREAM/status';
      terminal.err(options.json ? JSON.stringify({ note }) : note);
    }
    const told = onMessage === undefined ? {} : { onMessage: (one: FoundMessage) => onMessage(one, wall) };
    return { result: await client.ask({ ...question, ...told }), wall };
  });
}

function questionOf(
  options: RequestOptions,
  verb: Question['verb'],
  request: object,
  silenceMs = silenceOf(options),
): Question {
  const { id = newRequestId(), stream } = options;
  return { verb, request: { ...request, id, stream }, silenceMs };
}

async function connected<T>(options: RequestOptions, use: (client: RequestClient) => Promise<T>): Promise<T> {
  const client = await RequestClient.connect(await targetOf(options));
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

export function newRequestId(): string {
  return `cli-${randomBytes(8).toString('hex')}`;
}

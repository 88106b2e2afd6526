/** The requests on `$STREAM/search`, `replay`, `flush`, `files` and `status`: from JSON to checked values. */
import { z } from 'zod';
import { MqttStreamError, textOf } from '../errors.js';
import { filterFault } from '../topics.js';
import { parseTime, shown, TIME_FORMS } from './time.js';

/** From `start` to `end`, both inclusive, in microseconds since the epoch. */
export interface TimeRange {
  readonly start: number;
  readonly end: number;
}

/** The moment of a request, as both kinds of time have it; microseconds. */
export interface Moment {
  readonly wall: number;
  readonly key: number;
}

interface Common {
  readonly id: string;
  readonly stream: string;
}

interface Timed extends Common {
  /** At least one; in the order of the request, and they may overlap. */
  readonly ranges: readonly TimeRange[];
  /** What the ranges mean: corrected wall time, or raw keys. */
  readonly time: 'wall' | 'key';
}

export interface SearchRequest extends Timed {
  readonly op: 'search';
  /** A well-formed topic filter, or `null` for all topics. */
  readonly topic: string | null;
  /** At least 1, or `null` for no limit. */
  readonly limit: number | null;
}

export interface ReplayRequest extends Timed {
  readonly op: 'replay';
  readonly topic: string | null;
  readonly limit: number | null;
  /** 0: as fast as it is taken; else how many times the original timing. */
  readonly rate: number;
}

export interface FlushRequest extends Common {
  readonly op: 'flush';
}

export interface FilesRequest extends Timed {
  readonly op: 'files';
}

export interface StatusRequest extends Common {
  readonly op: 'status';
}

export type Request = SearchRequest | ReplayRequest | FlushRequest | FilesRequest | StatusRequest;
export type RequestOp = Request['op'];

const MAX_BYTES = 256 * 1024;
const MAX_RANGES = 1000;
const ALWAYS: TimeRange = { start: 0, end: Number.MAX_SAFE_INTEGER };
const ID = /^[A-Za-z0-9_-]{1,64}$/;

const time = z.custom<number | string>((value) => typeof value === 'number' || typeof value === 'string', {
  error: ({ input }) => `must be a time (${TIME_FORMS}), not ${shown(input)}`,
});

const common = { id: z.string(), stream: z.string().max(256) };
const timed = {
  ...common,
  ranges: z.array(z.strictObject({ start: time.optional(), end: time.optional() })).optional(),
  time: z.enum(['wall', 'key']).default('wall'),
};
const filtered = {
  ...timed,
  topic: z
    .string()
    .superRefine((filter, context) => {
      const fault = filterFault(filter);
      if (fault !== null) context.addIssue(`${shown(filter)} is no topic filter: ${fault}`);
    })
    .nullable()
    .default(null),
  limit: z.int().min(1).nullable().default(null),
};

const SHAPES = {
  search: z.strictObject(filtered),
  replay: z.strictObject({ ...filtered, rate: z.number().min(0).default(0) }),
  flush: z.strictObject(common),
  files: z.strictObject(timed),
  status: z.strictObject(common),
} as const satisfies Record<RequestOp, z.ZodObject>;

/**
 * The request in `payload`, with all times resolved against `now`.
 * Throws `REQUEST_NOT_JSON`, `REQUEST_BAD_ID`, `REQUEST_INVALID` (which names the key) or `REQUEST_BAD_RANGE`.
 */
export function parseRequest<Op extends RequestOp>(
  op: Op,
  payload: Uint8Array,
  now: Moment,
): Extract<Request, { op: Op }>;
export function parseRequest(op: RequestOp, payload: Uint8Array, now: Moment): Request {
  const input = parseObject(payload);
  if (!isId(input.id)) throw new MqttStreamError('REQUEST_BAD_ID');
  if (Array.isArray(input.ranges)) checkCount(input.ranges.length);
  const { data, error } = SHAPES[op].safeParse(input, { error: wording });
  if (error) throw new MqttStreamError('REQUEST_INVALID', [described(op, error.issues[0])]);
  const { ranges, time = 'wall' }: Partial<z.infer<typeof SHAPES.files>> = data;
  const timeless = op === 'flush' || op === 'status';
  return (timeless ? { op, ...data } : { op, ...data, ranges: resolved(ranges, now[time]) }) as Request;
}

/** The id of a request that may be bad in any other way, so that its answer finds the one who asked. */
export function requestId(payload: Uint8Array): string | null {
  try {
    const { id } = parseObject(payload);
    return isId(id) ? id : null;
  } catch (error) {
    if (error instanceof MqttStreamError) return null;
    throw error;
  }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

function parseObject(payload: Uint8Array): Record<string, unknown> {
  if (payload.length > MAX_BYTES) throw notJson(`its ${payload.length} bytes are more than ${MAX_BYTES}`);
  let input: unknown;
  try {
    input = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (error) {
    throw notJson(textOf(error), error);
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw notJson(`it is ${shown(input)}`);
  return input as Record<string, unknown>;
}

function notJson(reason: string, cause?: unknown): MqttStreamError {
  return new MqttStreamError('REQUEST_NOT_JSON', [reason], { cause });
}

function checkCount(ranges: number): void {
  if (ranges > 0 && ranges <= MAX_RANGES) return;
  const reason = `the list of ranges has ${ranges} entries; leave it out for all times, or give 1 to ${MAX_RANGES}`;
  throw new MqttStreamError('REQUEST_BAD_RANGE', [reason]);
}

interface WrittenRange {
  readonly start?: number | string | undefined;
  readonly end?: number | string | undefined;
}

function resolved(ranges: readonly WrittenRange[] = [{}], now: number): TimeRange[] {
  return ranges.map(({ start: from, end: to }, i) => {
    // Not until now: after the wall clock was set back there are messages of later times.
    if (from === undefined && to === undefined) return ALWAYS;
    const start = parseTime(from ?? 0, now, `ranges[${i}].start`);
    const end = parseTime(to ?? now, now, `ranges[${i}].end`);
    if (start <= end) return { start, end };
    throw new MqttStreamError('REQUEST_BAD_RANGE', [`ranges[${i}] starts after its end: ${start} > ${end}`]);
  });
}

function described(op: RequestOp, issue: z.core.$ZodIssue): string {
  const path = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  const name = path.slice(1);
  if (issue.code !== 'unrecognized_keys') return `"${name}" ${issue.message}`;
  const known = issue.path.length === 0 ? Object.keys(SHAPES[op].shape) : ['start', 'end'];
  return `${name && `"${name}" `}has no key ${shown(issue.keys[0])}; known are ${known.join(', ')}`;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'an object',
};

/** For everything that has no words of its own. */
function wording(issue: z.core.$ZodRawIssue): string | undefined {
  const { input } = issue;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}, not ${shown(input)}`;
  if (issue.code === 'too_small') return `must be at least ${issue.minimum}, not ${shown(input)}`;
  if (issue.code === 'too_big') return `is too long or too large, at most ${issue.maximum}`;
  if (issue.code !== 'invalid_type') return undefined;
  const kind = KINDS[issue.expected] ?? issue.expected;
  return input === undefined ? `is missing; it must be ${kind}` : `must be ${kind}, not ${shown(input)}`;
}

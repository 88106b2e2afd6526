/** The part of the schema that describes one stream. */
import { z } from 'zod';
import { captureProblem, excludeProblem } from './filter.js';
import { shown } from './problem.js';
import { duration, size, whole } from './quantity.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const DAY = 86_400_000;

/** `setTimeout` turns delays above 2^31-1 ms (24.8 days) into 1 ms. */
export const MAX_TIMER = 24 * DAY;

const FULL_POLICIES = ['flush', 'drop-oldest', 'reject', 'return'] as const;
/** The numbers of the policies, as the contract gives them. */
const FULL_NUMBERS = { 0: 'reject', 1: 'drop-oldest', 2: 'return', 3: 'flush' } as const;

const whenFull = z
  .union([z.enum(FULL_POLICIES), z.literal([0, 1, 2, 3]), z.literal(['0', '1', '2', '3'])], {
    error: ({ input }) => `expected one of ${FULL_POLICIES.join(', ')} (3, 1, 0, 2), got ${shown(input)}`,
  })
  .transform((word): (typeof FULL_POLICIES)[number] =>
    word in FULL_NUMBERS
      ? FULL_NUMBERS[word as keyof typeof FULL_NUMBERS]
      : (word as (typeof FULL_POLICIES)[number]),
  );

function filter(problem: (text: string) => string | undefined) {
  return z.string().superRefine((text, context) => {
    const found = problem(text);
    if (found) context.addIssue(`${found}, got ${shown(text)}`);
  });
}

export const streamSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9_-]{1,64}$/, {
    error: ({ input }) => `expected 1 to 64 characters of a-z 0-9 _ -, got ${shown(input)}`,
  }),
  /** MQTT filters; a message goes to every stream that matches. */
  topics: z.array(filter(captureProblem)).min(1),
  /** MQTT filters; a message that matches one of them is not for this stream. */
  exclude: z.array(filter(excludeProblem)).prefault([]),
  /** What a client may rely on once its message is acknowledged. */
  durability: z.enum(['none', 'process', 'interval', 'strict']).prefault('process'),
  /** Between two syncs of the journal, ms. */
  syncInterval: duration({ max: MAX_TIMER }).prefault('50ms'),
  /** What becomes of the stream when the disk has no room, or fails. */
  onDiskFull: z.enum(['drop-oldest-files', 'stop-capture', 'block']).prefault('stop-capture'),
  /** The window of the newest messages in shared memory. */
  ring: z
    .strictObject({
      messages: whole(2, 16_777_216).prefault(65_536),
      bytes: size({ min: 4 * KIB, max: 2 * GIB }).prefault('64MiB'),
      /** What happens to a new message when no slot is free. */
      whenFull: whenFull.prefault('flush'),
    })
    .prefault({}),
  /** A file is written when the first of these is reached. */
  flush: z
    .strictObject({
      /** Age of the oldest message that is not in a file, ms; 0: off. */
      every: duration({ max: MAX_TIMER }).prefault('60s'),
      /** Raw bytes. May be above `ring.bytes`: the full ring then flushes first. */
      bytes: size({ min: KIB, max: 64 * MIB }).prefault('48MiB'),
      messages: whole(1).prefault(100_000),
      /** Time without a new message, ms; 0: off. */
      idle: duration({ max: MAX_TIMER }).prefault('10s'),
    })
    .prefault({}),
  parquet: z
    .strictObject({
      compression: z.enum(['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4']).prefault('zstd'),
    })
    .prefault({}),
  /** Whether new files are encrypted, with the first of the keys. */
  encryption: z.strictObject({ enabled: z.boolean().prefault(false) }).prefault({}),
  /** Small files of a day become one, in the background. */
  merge: z
    .strictObject({
      enabled: z.boolean().prefault(true),
      /** Raw bytes: files with less are merged as long as they have no more together. */
      below: size({ min: KIB, max: 64 * MIB }).prefault('8MiB'),
    })
    .prefault({}),
  /** What may be written in a day, for the sake of flash memory. */
  writeBudget: z
    .strictObject({
      /** Bytes of files and journal; 0: no limit. Beyond it files are made less often, and none are merged. */
      perDay: size().prefault(0),
      /** Beyond it the journal may stop, too (not with `strict`): acknowledged is then what is in the ring. */
      stopJournal: z.boolean().prefault(false),
    })
    .prefault({}),
  /** The oldest files are removed until all limits hold; 0: no limit. */
  retention: z
    .strictObject({
      maxBytes: size().prefault('1GiB'),
      maxFiles: whole(0).prefault(0),
      /** Ms since the last message of a file. */
      maxAge: duration().prefault('7d'),
    })
    .prefault({}),
});

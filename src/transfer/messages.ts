/** The JSON of a transfer: the request of the broker, and what is said before, after and instead of a file. */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { MqttStreamError, textOf } from '../errors.js';
import { FILE_PATTERN, ID_PATTERN } from './topics.js';

const count = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const stream = z.string().regex(/^[a-z0-9_-]{1,64}$/);
const name = z.string().regex(FILE_PATTERN);
/** Four chunks are in memory at a time, and a packet of MQTT ends at 256 MiB. */
const chunkBytes = z
  .int()
  .min(1)
  .max(16 * 1024 * 1024);

const transferFileSchema = z.strictObject({
  name,
  /** Relative to `root`. */
  path: z.string().min(1).max(4096),
  /** Whether it is encrypted there, and sent decrypted. */
  decrypt: z.boolean().optional(),
  /** Of what is sent. */
  bytes: count,
  /** null: the client computes it. */
  sha256: sha256.nullable(),
  rows: count,
  firstKey: count,
  lastKey: count,
});

/** What the broker publishes on `$STREAM/transfer`. */
export const transferRequestSchema = z.strictObject({
  id: z.string().regex(ID_PATTERN),
  stream,
  /** The data folder as the broker sees it. */
  root: z.string().refine((root) => isAbsolute(root), 'an absolute path is needed'),
  chunkBytes,
  files: z.array(transferFileSchema),
});

/** `ParquetFile/<id>/<file>/init` */
export const initSchema = z.object({
  name,
  stream,
  bytes: count,
  sha256,
  chunkBytes,
  rows: count,
  firstKey: count,
  lastKey: count,
});

/** `ParquetFile/<id>/<file>/fin` */
export const finSchema = z.object({ bytes: count, sha256 });

/** `ParquetFile/<id>/<file>/abort`: the file ends here and is not to be kept. */
export const abortSchema = z.object({
  code: z.string().regex(/^[A-Z_]{1,64}$/),
  message: z.string().max(4096),
});

export type TransferRequest = z.infer<typeof transferRequestSchema>;
export type TransferFile = TransferRequest['files'][number];
export type Init = z.infer<typeof initSchema>;
export type Fin = z.infer<typeof finSchema>;
export type Abort = z.infer<typeof abortSchema>;

/** @throws TRANSFER_BAD_REQUEST naming the first fault. */
export function parseMessage<T>(schema: z.ZodType<T>, payload: Buffer): T {
  let json: unknown;
  try {
    json = JSON.parse(payload.toString());
  } catch (error) {
    throw new MqttStreamError('TRANSFER_BAD_REQUEST', [textOf(error)], { cause: error });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') || 'the message';
  throw new MqttStreamError('TRANSFER_BAD_REQUEST', [`${where}: ${issue?.message}`]);
}

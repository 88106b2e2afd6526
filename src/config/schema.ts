/**
 * The one schema of the configuration, for the file and for embedding. A parsed configuration holds every
 * key, sizes in bytes and durations in milliseconds, and parses to itself again.
 */
import { resolve } from 'node:path';
import { z } from 'zod';
import { aclSchema } from './acl.js';
import { addressesClosed, addressesDiffer } from './addresses.js';
import { auditSchema } from './audit.js';
import { authenticationSchema } from './authentication.js';
import { bridgeSchema } from './bridge.js';
import { encryptionSchema } from './encryption.js';
import { limitsSchema } from './limits.js';
import { host, listenerSchema, port } from './listener.js';
import { persistenceSchema } from './persistence.js';
import { check, invalid, shown } from './problem.js';
import { size } from './quantity.js';
import { sharedSubscriptionsSchema } from './shared-subscriptions.js';
import { streamSchema } from './stream.js';
import { sysSchema } from './sys.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What listens when `listeners` is left out. */
export const DEFAULT_LISTENERS = [{ protocol: 'tcp' }, { protocol: 'ws' }] as const;

export const configSchema = z
  .strictObject({
    /** Absolute once parsed; a relative one starts at the working directory. */
    dataDir: z
      .string()
      .regex(/^[^\0]+$/, { error: ({ input }) => `expected the path of a folder, got ${shown(input)}` })
      .prefault('./data')
      .transform((folder) => resolve(folder)),
    /** Bytes that streams leave free, for sessions, the clock and the rest of the machine. */
    disk: z.strictObject({ reserve: size().prefault('128MiB') }).prefault({}),
    listeners: z.array(listenerSchema).prefault([...DEFAULT_LISTENERS]),
    /** Whether listeners may be open to the network though clients need not say who they are. */
    allowAnonymous: z.boolean().prefault(false),
    http: z
      .strictObject({
        enabled: z.boolean().prefault(true),
        host: host.prefault('127.0.0.1'),
        port: port.prefault(8081),
      })
      .prefault({}),
    /** Who gets in: asked one after the other, the first that knows a client decides. Empty: everybody does. */
    authentication: z.array(authenticationSchema).prefault([]),
    acl: aclSchema,
    streams: z
      .array(streamSchema)
      .superRefine(namesDiffer('streams'), { when: () => true })
      .prefault([]),
    encryption: encryptionSchema,
    /** Other brokers that messages go to and come from. */
    bridges: z
      .array(bridgeSchema)
      .superRefine(namesDiffer('bridges'), { when: () => true })
      .prefault([]),
    limits: limitsSchema,
    sharedSubscriptions: sharedSubscriptionsSchema,
    transfer: z
      .strictObject({
        /** Whether the transfer client runs inside the broker's process. */
        embedded: z.boolean().prefault(true),
        /** Payload of one chunk, bytes. */
        chunkBytes: size({ min: KIB, max: 16 * MIB }).prefault('256KiB'),
        /** Whether encrypted files leave decrypted, or as they are stored. */
        decrypt: z.boolean().prefault(false),
      })
      .prefault({}),
    persistence: persistenceSchema,
    log: z
      .strictObject({
        level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).prefault('info'),
        format: z.enum(['text', 'json']).prefault('text'),
        audit: auditSchema.prefault({}),
      })
      .prefault({}),
    sys: sysSchema.prefault({}),
  })
  .superRefine(addressesDiffer)
  .superRefine(addressesClosed)
  .superRefine(bridgesHaveStreams);

/** Runs even if an item is wrong elsewhere, so that one start shows all problems: nothing is sure here. */
function namesDiffer(list: string) {
  return (items: unknown, context: z.core.$RefinementCtx): void => {
    const seen = new Map<unknown, number>();
    if (!Array.isArray(items)) return;
    for (const [index, item] of items.entries()) {
      const name: unknown = item?.name;
      const first = seen.get(name);
      if (first === undefined) seen.set(name, index);
      else if (typeof name === 'string') {
        const message = `"${name}" is the name of ${list}[${first}] already; choose another`;
        context.addIssue({ code: 'custom', path: [index, 'name'], message });
      }
    }
  };
}

/** Only of streams that are there from the start, and whose messages stay until they are in files. */
function bridgesHaveStreams(
  {
    bridges,
    streams,
  }: { bridges: readonly { stream?: string }[]; streams: readonly Pick<StreamConfig, 'name' | 'ring'>[] },
  context: z.core.$RefinementCtx,
) {
  const rings = new Map(streams.map(({ name, ring }) => [name, ring]));
  for (const [index, { stream }] of bridges.entries()) {
    if (stream === undefined) continue;
    const ring = rings.get(stream);
    let message: string | undefined;
    if (ring === undefined) {
      message = `there is no stream ${shown(stream)}; known are ${[...rings.keys()].join(', ') || 'none'}`;
    } else if (ring.whenFull === 'return') {
      message = `is ${shown(stream)}, whose messages are handed over (ring.whenFull: return); choose another`;
    }
    if (message) context.addIssue({ code: 'custom', path: ['bridges', index, 'stream'], message });
  }
}

/** A whole configuration: every key present, bytes and milliseconds, `dataDir` absolute. */
export type Config = z.output<typeof configSchema>;
/** What an embedder writes: every key may be left out. */
export type ConfigInput = z.input<typeof configSchema>;
export type StreamConfig = z.output<typeof streamSchema>;
/** What an embedder writes: every key but `name` and `topics` may be left out. */
export type StreamInput = z.input<typeof streamSchema>;
export type BridgeConfig = z.output<typeof bridgeSchema>;
export type ListenerConfig = z.output<typeof listenerSchema>;

/** @throws CONFIG_INVALID with all problems, one a line; `source` is what each line begins with. */
export function parseConfig(input: unknown, source = 'config'): Config {
  const { value, problems } = check(configSchema, input);
  if (value === undefined) throw invalid(problems, () => source);
  return value;
}

/** For a stream that is added at run time. @throws CONFIG_INVALID as `parseConfig`. */
export function parseStream(input: unknown, source = 'stream'): StreamConfig {
  const { value, problems } = check(streamSchema, input);
  if (value === undefined) throw invalid(problems, () => source);
  return value;
}

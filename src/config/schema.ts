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
import { host, listenerSchema, port } from './listener.js';
import { persistenceSchema } from './persistence.js';
import { check, invalid, shown } from './problem.js';
import { duration, size, whole } from './quantity.js';
import { MAX_TIMER, streamSchema } from './stream.js';
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
      .superRefine(namesDiffer, { when: () => true })
      .prefault([]),
    limits: z
      .strictObject({
        /** Largest MQTT packet taken from a client, bytes; MQTT itself ends at 256 MiB - 1. */
        packetBytes: size({ min: KIB, max: 256 * MIB - 1 }).prefault('64MiB'),
        /** What may wait for one slow client, bytes. */
        clientQueueBytes: size({ min: KIB }).prefault('16MiB'),
        /** What may wait for one slow client, messages. */
        clientQueueMessages: whole(1).prefault(100_000),
        /** What happens then to QoS 1 and 2 for it; QoS 0 is dropped. */
        whenClientQueueFull: z.enum(['disconnect', 'drop']).prefault('disconnect'),
        /** Publishers do not wait longer for a subscriber that takes nothing, ms. */
        stalledAfter: duration({ min: 1, max: MAX_TIMER }).prefault('500ms'),
        /** Unacknowledged QoS 1 and 2 messages to one client; its own Receive Maximum may be less. */
        inflight: whole(1, 65_535).prefault(1000),
        /** Clients connected at the same time. */
        connections: whole(1).prefault(10_000),
        /** Of one IPv4 address or IPv6 network (/64); 0: no limit. */
        connectionsPerAddress: whole(0).prefault(0),
        /** Connections accepted in a second; more are closed at once. */
        connectionsPerSecond: whole(1).prefault(5000),
        /** From the accept to the end of CONNECT, TLS and the upgrade to WebSocket included, ms. */
        connectTimeout: duration({ min: 1, max: MAX_TIMER }).prefault('10s'),
        /** Largest CONNECT: what is kept of a client before it is known, bytes. */
        connectBytes: size({ min: KIB, max: 256 * MIB - 1 }).prefault('64KiB'),
        /** Levels of a topic or topic filter. */
        topicLevels: whole(1, 65_536).prefault(200),
        /** Longest keep-alive that a client may have, ms; 0: any. MQTT counts in seconds. */
        keepAlive: duration({ max: 65_535_000 }).prefault(0),
        /** Longest that a session outlives its connection, ms; 0: for ever. */
        sessionExpiry: duration({ max: 0xffff_fffe * 1000 }).prefault(0),
        /** Topic aliases that one client may use (MQTT 5). */
        topicAliasMaximum: whole(0, 65_535).prefault(10),
        /** QoS 2 messages in flight from one client (MQTT 5). */
        receiveMaximum: whole(1, 65_535).prefault(1000),
        /** Whether a payload that is said to be UTF-8 is checked, and its publisher disconnected (0x99) if it is not. */
        checkPayloadFormat: z.boolean().prefault(false),
        /** Searches, replays and other requests being answered at the same time. */
        requests: whole(1).prefault(32),
      })
      .prefault({}),
    transfer: z
      .strictObject({
        /** Whether the transfer client runs inside the broker's process. */
        embedded: z.boolean().prefault(true),
        /** Payload of one chunk, bytes. */
        chunkBytes: size({ min: KIB, max: 16 * MIB }).prefault('256KiB'),
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
  .superRefine(addressesClosed);

/** Runs even if a stream is wrong elsewhere, so that one start shows all problems: nothing is sure here. */
function namesDiffer(streams: unknown, context: z.core.$RefinementCtx): void {
  const seen = new Map<unknown, number>();
  if (!Array.isArray(streams)) return;
  for (const [index, stream] of streams.entries()) {
    const name: unknown = stream?.name;
    const first = seen.get(name);
    if (first === undefined) seen.set(name, index);
    else if (typeof name === 'string') {
      const message = `"${name}" is the name of streams[${first}] already; choose another`;
      context.addIssue({ code: 'custom', path: [index, 'name'], message });
    }
  }
}

/** A whole configuration: every key present, bytes and milliseconds, `dataDir` absolute. */
export type Config = z.output<typeof configSchema>;
/** What an embedder writes: every key may be left out. */
export type ConfigInput = z.input<typeof configSchema>;
export type StreamConfig = z.output<typeof streamSchema>;
/** What an embedder writes: every key but `name` and `topics` may be left out. */
export type StreamInput = z.input<typeof streamSchema>;
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

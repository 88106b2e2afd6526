/**
 * The one schema of the configuration, for the file and for embedding. A parsed configuration holds every
 * key, sizes in bytes and durations in milliseconds, and parses to itself again.
 */
import { resolve } from 'node:path';
import { z } from 'zod';
import { bridgeSchema } from './bridge.js';
import { dotted, type Path } from './path.js';
import { check, invalid, shown } from './problem.js';
import { duration, size, whole } from './quantity.js';
import { MAX_TIMER, streamSchema } from './stream.js';

const KIB = 1024;
const MIB = 1024 * KIB;

const host = z.string().regex(/^[^\s/]{1,255}$/, {
  error: ({ input }) => `expected a host name or an IP address, got ${shown(input)}`,
});
/** 0 asks the system for a free port. */
const port = whole(0, 65_535);

const protocol = z.enum(['tcp', 'ws'], {
  error: ({ input }) =>
    input === 'tls' || input === 'wss'
      ? `"${input}" is not available yet; use ${input === 'tls' ? 'tcp' : 'ws'}`
      : `expected one of tcp, ws, got ${shown(input)}`,
});

const listenerSchema = z
  .strictObject({
    protocol: protocol.prefault('tcp'),
    host: host.prefault('127.0.0.1'),
    /** 1883 for tcp, 8083 for ws if left out. */
    port: port.optional(),
    /** The path of the HTTP upgrade, for ws only: `/mqtt` if left out. Empty for tcp. */
    path: z
      .string()
      .regex(/^(\/[^\s?#]*)?$/, {
        error: ({ input }) => `expected a path such as /mqtt, got ${shown(input)}`,
      })
      .prefault(''),
  })
  .superRefine(({ protocol, path }, context) => {
    if (protocol === 'tcp' && path !== '') {
      context.addIssue({ code: 'custom', path: ['path'], message: 'is for ws only; remove it' });
    }
  })
  .transform((listener) => {
    const ws = listener.protocol === 'ws';
    return {
      ...listener,
      port: listener.port ?? (ws ? 8083 : 1883),
      path: listener.path || (ws ? '/mqtt' : ''),
    };
  });

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
    http: z
      .strictObject({
        enabled: z.boolean().prefault(true),
        host: host.prefault('127.0.0.1'),
        port: port.prefault(8081),
      })
      .prefault({}),
    streams: z
      .array(streamSchema)
      .superRefine(namesDiffer('streams'), { when: () => true })
      .prefault([]),
    /** Other brokers that messages go to and come from. */
    bridges: z
      .array(bridgeSchema)
      .superRefine(namesDiffer('bridges'), { when: () => true })
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
        /** Levels of a topic or topic filter. */
        topicLevels: whole(1, 65_536).prefault(200),
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
    log: z
      .strictObject({
        level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).prefault('info'),
        format: z.enum(['text', 'json']).prefault('text'),
      })
      .prefault({}),
  })
  .superRefine(portsDiffer)
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

function portsDiffer(
  {
    listeners,
    http,
  }: { listeners: readonly ListenerConfig[]; http: { enabled: boolean; host: string; port: number } },
  context: z.core.$RefinementCtx,
) {
  const taken = new Map<string, string>();
  const take = (host: string, port: number, path: Path) => {
    const address = `${host}:${port}`;
    const owner = taken.get(address);
    if (port === 0) return;
    if (owner === undefined) taken.set(address, dotted(path));
    else {
      const message = `${address} is the address of ${owner} already; choose another port`;
      context.addIssue({ code: 'custom', path: [...path, 'port'], message });
    }
  };
  for (const [index, { host, port }] of listeners.entries()) take(host, port, ['listeners', index]);
  if (http.enabled) take(http.host, http.port, ['http']);
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

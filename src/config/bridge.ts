/** The part of the schema that describes one bridge to another broker. */
import { z } from 'zod';
import { topicFault } from '../topics.js';
import { excludeProblem } from './filter.js';
import { shown } from './problem.js';
import { duration, size, whole } from './quantity.js';
import { MAX_TIMER } from './stream.js';

const HOUR = 3_600_000;

const text = z.string().min(1, { error: () => 'expected a text of at least one character' });

/** Not repeated when it is wrong. */
const secret = z.string({ error: () => 'expected a text' }).min(1);

/** A part of topic names; empty: none. */
const prefix = z.string().superRefine((part, context) => {
  const fault = part === '' ? null : topicFault(part);
  if (fault !== null) context.addIssue(`${fault}, got ${shown(part)}`);
});

const ruleSchema = z
  .strictObject({
    /** What is taken, as it is called where it comes from. */
    filter: z.string().superRefine((filter, context) => {
      const found = excludeProblem(filter);
      if (found) context.addIssue(`${found}, got ${shown(filter)}`);
    }),
    /** The most that a message goes with. QoS 2 would promise "once" beyond what two brokers can keep. */
    qos: whole(0, 1).prefault(1),
    /** Taken off the beginning of its topic. */
    remove: prefix.prefault(''),
    /** Put before the rest. */
    add: prefix.prefault(''),
  })
  .superRefine(({ filter, remove }, context) => {
    if (filter.startsWith(remove)) return;
    const message = `must be what the filter begins with, got ${shown(remove)} for ${shown(filter)}`;
    context.addIssue({ code: 'custom', path: ['remove'], message });
  })
  .transform((rule) => ({ ...rule, qos: rule.qos as 0 | 1 }));

const URL_FORM = 'expected mqtt://host:1883, mqtts://host:8883, ws://host/path or wss://host/path';

const url = z.string().superRefine((given, context) => {
  const parsed = URL.canParse(given) ? new URL(given) : null;
  // The URL is not repeated: it may hold a password.
  if (!parsed?.hostname || !/^(mqtt|mqtts|ws|wss):$/.test(parsed.protocol)) context.addIssue(URL_FORM);
  else if (parsed.username || parsed.password) {
    context.addIssue('holds a user name or password; use username, and password or passwordFile');
  }
});

export const bridgeSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9_-]{1,64}$/, {
      error: ({ input }) => `expected 1 to 64 characters of a-z 0-9 _ -, got ${shown(input)}`,
    }),
    url,
    /** `mqtt-stream-<name>-<the broker's own id>` if left out. */
    clientId: text.optional(),
    username: text.optional(),
    password: secret.optional(),
    /** Read at every connection, like the files of `tls`; its first line. */
    passwordFile: text.optional(),
    /** PEM files. */
    tls: z
      .strictObject({
        /** Whose signature is trusted, instead of the system's authorities. */
        ca: text.optional(),
        cert: text.optional(),
        key: text.optional(),
        /** Whether the other broker must prove who it is. */
        verify: z.boolean().prefault(true),
      })
      .prefault({}),
    protocolVersion: z
      .literal([4, 5], { error: ({ input }) => `expected 4 (MQTT 3.1.1) or 5, got ${shown(input)}` })
      .prefault(5),
    /** MQTT 3.1.1 only: says that it is a bridge, as mosquitto's do, which then sends nothing back. */
    bridgeMode: z.boolean().prefault(true),
    /** Between two packets at most, ms; 0: off. */
    keepAlive: duration({ max: 65_535_000 }).prefault('60s'),
    /** The other broker forgets, when connected to, what it has kept for us. */
    cleanStart: z.boolean().prefault(false),
    /** MQTT 5: how long it keeps that after a lost connection, ms. */
    sessionExpiry: duration({ max: 0xffff_fffe * 1000 }).prefault(24 * HOUR),
    connectTimeout: duration({ min: 1, max: MAX_TIMER }).prefault('10s'),
    /** Between two attempts, ms: doubles from the least to the most, less up to half of it at random. */
    reconnect: z
      .strictObject({
        min: duration({ min: 1, max: MAX_TIMER }).prefault('1s'),
        max: duration({ min: 1, max: MAX_TIMER }).prefault('60s'),
      })
      .superRefine(({ min, max }, context) => {
        if (min > max) context.addIssue({ code: 'custom', path: ['min'], message: 'must be at most max' });
      })
      .prefault({}),
    /** Above the rules' own. */
    maxQos: whole(0, 1)
      .prefault(1)
      .transform((qos) => qos as 0 | 1),
    /** Messages sent and not acknowledged; with a stream the most that are sent again after a restart. */
    inflight: whole(1, 65_535).prefault(1000),
    /** Bytes a second that are sent; 0: no limit. */
    bandwidth: size().prefault(0),
    /** What waits here while there is no connection, without a stream. */
    queue: z
      .strictObject({ messages: whole(1).prefault(1000), bytes: size().prefault('16MiB') })
      .prefault({}),
    /** What is sent is read from this stream: nothing is lost while there is no connection. */
    stream: text.optional(),
    in: z.array(ruleSchema).prefault([]),
    out: z.array(ruleSchema).prefault([]),
  })
  .superRefine(
    ({ in: incoming, maxQos, out, password, passwordFile, stream, tls, url, username }, context) => {
      const wrong = (path: (string | number)[], message: string) =>
        context.addIssue({ code: 'custom', path, message });
      if (incoming.length + out.length === 0) wrong([], 'has neither in nor out; nothing would pass');
      if (password !== undefined && passwordFile !== undefined)
        wrong(['password'], 'or passwordFile, not both');
      // MQTT 3.1.1 cannot say a password alone [MQTT-3.1.2-22].
      if ((password ?? passwordFile) !== undefined && username === undefined)
        wrong(['username'], 'is missing; a password needs one');
      if ((tls.cert === undefined) !== (tls.key === undefined))
        wrong(['tls'], 'cert and key belong together');
      const secured = /^(mqtts|wss):/.test(url);
      if (!secured && (tls.ca ?? tls.cert) !== undefined)
        wrong(['tls'], 'needs a url with mqtts:// or wss://');
      if (stream === undefined) return;
      if (out.length === 0) wrong(['stream'], 'is for what is sent; add out');
      if (maxQos === 0) wrong(['maxQos'], 'must be 1 with a stream: QoS 0 is not acknowledged');
      for (const [index, { qos }] of out.entries()) {
        if (qos === 0) wrong(['out', index, 'qos'], 'must be 1 with a stream: QoS 0 is not acknowledged');
      }
    },
  );

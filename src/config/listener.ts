/** The part of the schema that describes one listener. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { shown } from './problem.js';
import { whole } from './quantity.js';

const PROTOCOLS = ['tcp', 'tls', 'ws', 'wss'] as const;
type Protocol = (typeof PROTOCOLS)[number];

const PORTS: Readonly<Record<Protocol, number>> = { tcp: 1883, tls: 8883, ws: 8083, wss: 8084 };

export const host = z.string().regex(/^[^\s/]{1,255}$/, {
  error: ({ input }) => `expected a host name or an IP address, got ${shown(input)}`,
});
/** 0 asks the system for a free port. */
export const port = whole(0, 65_535);

/** Absolute once parsed; a relative one starts at the working directory. */
const file = z
  .string({
    error: ({ input }) =>
      input === undefined
        ? 'is missing; expected the path of a PEM file'
        : `expected the path of a PEM file, got ${shown(input)}`,
  })
  .regex(/^[^\0]+$/, { error: ({ input }) => `expected the path of a PEM file, got ${shown(input)}` })
  .transform((path) => resolve(path));

const tlsSchema = z
  .strictObject({
    /** The certificate, followed by those between it and its root. */
    certificate: file,
    key: file,
    keyPassphrase: z.string().optional(),
    /** Who may sign certificates of clients; without it clients are asked for none. */
    ca: file.optional(),
    /** Whether a client without such a certificate is turned away. */
    requireClientCert: z.boolean().prefault(false),
    minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).prefault('TLSv1.2'),
  })
  .superRefine(({ ca, requireClientCert }, context) => {
    if (!requireClientCert || ca !== undefined) return;
    const message = 'is missing; requireClientCert needs the certificates of those who sign for clients';
    context.addIssue({ code: 'custom', path: ['ca'], message });
  });

export const listenerSchema = z
  .strictObject({
    protocol: z.enum(PROTOCOLS).prefault('tcp'),
    host: host.prefault('127.0.0.1'),
    /** That of the protocol if left out: 1883, 8883, 8083, 8084. */
    port: port.optional(),
    /** The path of the HTTP upgrade, for ws and wss only: `/mqtt` if left out. Empty for the others. */
    path: z
      .string()
      .regex(/^(\/[^\s?#]*)?$/, {
        error: ({ input }) => `expected a path such as /mqtt, got ${shown(input)}`,
      })
      .prefault(''),
    /** For tls and wss only, which need it. */
    tls: tlsSchema.optional(),
  })
  .superRefine(({ protocol, path, tls }, context) => {
    const issue = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: [key], message });
    const secure = protocol === 'tls' || protocol === 'wss';
    if (!isWebSocket(protocol) && path !== '') issue('path', 'is for ws and wss only; remove it');
    if (secure && tls === undefined) issue('tls', 'is missing; expected certificate and key');
    if (!secure && tls !== undefined) {
      issue('tls', `is for tls and wss only; use protocol ${isWebSocket(protocol) ? 'wss' : 'tls'}`);
    }
  })
  .transform((listener) => ({
    ...listener,
    port: listener.port ?? PORTS[listener.protocol],
    path: listener.path || (isWebSocket(listener.protocol) ? '/mqtt' : ''),
  }));

function isWebSocket(protocol: Protocol): boolean {
  return protocol === 'ws' || protocol === 'wss';
}

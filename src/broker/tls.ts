import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls';
import { MqttStreamError, textOf } from '../errors.js';
import type { Log } from './log.js';
import { WebSocketStream } from './websocket-stream.js';

/** Files are PEM. */
export interface TlsOptions {
  /** The certificate, with those between it and its root. */
  readonly certificate: string;
  readonly key: string;
  readonly keyPassphrase?: string | undefined;
  /** Who may sign certificates of clients; without it clients are not asked for one. */
  readonly ca?: string | undefined;
  /** A client without a certificate of `ca` is not let in. */
  readonly requireClientCert: boolean;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** Who a client is by its certificate. */
export interface PeerCertificate {
  /** null: there is none, or several. */
  readonly commonName: string | null;
  /** DNS names, e-mail addresses and URIs, without what they are. */
  readonly altNames: readonly string[];
}

const READABLE_BY_OTHERS = 0o004;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const CLIENT_NAMES: ReadonlySet<string> = new Set(['DNS', 'email', 'URI']);

/**
 * Reads the files of a listener, and tries whether they can be used together. Rejects with CREDENTIALS_UNREADABLE or
 * CREDENTIALS_INVALID.
 */
export async function loadCredentials(options: TlsOptions, log: Log): Promise<SecureContextOptions> {
  const { certificate, key, keyPassphrase, ca, minVersion } = options;
  const keyText = await read(key);
  const { mode } = await readable(key, stat(key));
  const context: SecureContextOptions = {
    cert: certificatesIn(certificate, await read(certificate)),
    key: keyText,
    minVersion,
    ...(keyPassphrase === undefined ? {} : { passphrase: keyPassphrase }),
    ...(ca === undefined ? {} : { ca: certificatesIn(ca, await read(ca)) }),
  };
  try {
    // Without any key OpenSSL would go on as well.
    createPrivateKey({ key: keyText, passphrase: keyPassphrase });
    createSecureContext(context);
  } catch (error) {
    const text = `with its certificate ${certificate}: ${textOf(error)}`;
    throw new MqttStreamError('CREDENTIALS_INVALID', [key, text], { cause: error });
  }
  if ((mode & READABLE_BY_OTHERS) !== 0) {
    log.warn({ file: key }, 'every user of this machine can read the private key: chmod o-r it');
  }
  return context;
}

function read(file: string): Promise<string> {
  return readable(file, readFile(file, 'utf8'));
}

async function readable<T>(file: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw new MqttStreamError('CREDENTIALS_UNREADABLE', [file, textOf(error)], { cause: error });
  }
}

/** OpenSSL passes over what it cannot read, and would go on without. */
function certificatesIn(file: string, text: string): string {
  try {
    const certificates = text.match(CERTIFICATE);
    if (certificates === null) throw new Error('there is no certificate in it');
    for (const certificate of certificates) new X509Certificate(certificate);
    return text;
  } catch (error) {
    throw new MqttStreamError('CREDENTIALS_INVALID', [file, textOf(error)], { cause: error });
  }
}

/** The certificate that the client at the other end of a stream has shown, verified; null: none. */
export function peerCertificate(stream: Duplex): PeerCertificate | null {
  const socket = stream instanceof WebSocketStream ? stream.carrier : stream;
  // Not `authorized` is also a certificate that nobody has signed whom we trust.
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const { subject, subjectaltname } = socket.getPeerCertificate();
  const name: unknown = subject?.CN;
  return {
    commonName: typeof name === 'string' ? name : null,
    altNames: namesIn(subjectaltname ?? ''),
  };
}

/** From `DNS:a, DNS:"b, c", IP Address:10.0.0.1`: a name that could be mistaken for several is a string of JSON. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)]
    .filter(([, kind]) => CLIENT_NAMES.has(kind))
    .map(([, , name]) => (name.startsWith('"') ? (JSON.parse(name) as string) : name));
}

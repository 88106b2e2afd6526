/** Certificates of a test, made by openssl while it runs: no private key is kept anywhere. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

export interface Issued {
  /** Paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  readonly subject?: string;
  /** As openssl writes them: `DNS:a,URI:b`. */
  readonly altNames?: string;
  readonly passphrase?: string;
  readonly days?: number;
}

/** An authority and what it signs, in files of a folder. */
export class Authority {
  /** Path of its own certificate. */
  readonly ca: string;
  readonly #folder: string;
  readonly #key: string;

  private constructor(folder: string, { certificate, key }: Issued) {
    this.#folder = folder;
    this.ca = certificate;
    this.#key = key;
  }

  static async create(folder: string, name = 'ca'): Promise<Authority> {
    return new Authority(folder, await make(folder, name, { subject: `/CN=${name}` }, []));
  }

  issue(name: string, subject: Subject = {}): Promise<Issued> {
    return make(this.#folder, name, subject, ['-CA', this.ca, '-CAkey', this.#key]);
  }

  /** For a broker on this machine. */
  server(name = 'server'): Promise<Issued> {
    return this.issue(name, { altNames: 'DNS:localhost,IP:127.0.0.1' });
  }
}

async function make(folder: string, name: string, subject: Subject, signer: string[]): Promise<Issued> {
  const { altNames, passphrase, days = 2 } = subject;
  const issued = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  await run('openssl', [
    ...['req', '-x509', ...KEY, '-keyout', issued.key, '-out', issued.certificate, '-days', String(days)],
    ...['-subj', subject.subject ?? `/CN=${name}`],
    ...(passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`]),
    ...(altNames === undefined ? [] : ['-addext', `subjectAltName=${altNames}`]),
    ...signer,
  ]);
  return issued;
}

/** What a client is given: contents instead of paths. */
export async function contents({ certificate, key }: Issued): Promise<{ cert: Buffer; key: Buffer }> {
  const [cert, keyBytes] = await Promise.all([readFile(certificate), readFile(key)]);
  return { cert, key: keyBytes };
}

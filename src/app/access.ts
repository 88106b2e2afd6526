/** Access as the configuration and its files say. */
import { setTimeout as delay } from 'node:timers/promises';
import { OPEN_ACCESS } from '../broker/access/access.js';
import type { Authenticator } from '../broker/access/authenticator.js';
import { CallbackAuthenticator } from '../broker/access/callback.js';
import { CertificateAuthenticator } from '../broker/access/certificate.js';
import { ConfiguredAccess } from '../broker/access/configured.js';
import { Failures } from '../broker/access/failures.js';
import { Gate } from '../broker/access/gate.js';
import { JwtAuthenticator } from '../broker/access/jwt.js';
import { keySetOf, RemoteKeySet } from '../broker/access/key-set.js';
import { PasswordAuthenticator } from '../broker/access/password.js';
import { PasswordFile } from '../broker/access/password-file.js';
import { asksForUser, type WrittenRule } from '../broker/access/rule.js';
import { Rules } from '../broker/access/rules.js';
import { parseRules } from '../config/acl.js';
import type { AuthenticationConfig } from '../config/authentication.js';
import type { Config } from '../config/schema.js';
import { MqttStreamError, textOf } from '../errors.js';

type AccessConfig = Pick<Config, 'authentication' | 'acl'>;
type LogLine = (fields: object, text: string) => void;

export interface AccessLog {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
}

export interface FileAccess {
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  stat(path: string): Promise<{ readonly mode: number }>;
}

export interface AccessParts {
  readonly log: AccessLog;
  readonly fs: FileAccess;
}

/** Passwords looked at together, of the four threads of Node's pool, and logins that wait for it. */
const HASHES = { most: 2, waiting: 256 };
const CALLBACKS = { most: 64, waiting: 1000 };

const READABLE_BY_OTHERS = 0o004;
const WRITABLE_BY_OTHERS = 0o002;

/** What a reload does not begin anew: work that goes on, and keys that cannot be had just now. */
class Lasting {
  readonly hashes = new Gate(HASHES.most, HASHES.waiting);
  readonly callbacks = new Gate(CALLBACKS.most, CALLBACKS.waiting);
  readonly #log: AccessLog;
  readonly #keys = new Map<string, RemoteKeySet>();

  constructor(log: AccessLog) {
    this.#log = log;
  }

  keysOf(url: string, timeout: number): RemoteKeySet {
    let keys = this.#keys.get(url);
    if (keys === undefined) {
      const onFault = (error: unknown) =>
        this.#log.warn({ err: error, url }, 'the keys of tokens could not be had');
      keys = new RemoteKeySet({ url, timeout, fetch, now: () => performance.now(), onFault });
      this.#keys.set(url, keys);
    }
    return keys;
  }
}

/** Rejects with a code of the table if a file cannot be used. */
export async function openAccess(config: AccessConfig, parts: AccessParts) {
  const { authentication, acl } = config;
  const { log } = parts;
  if (authentication.length === 0 && acl.file === undefined && acl.rules.length === 0) return OPEN_ACCESS;
  const lasting = new Lasting(log);
  const failures = new Failures({
    now: () => performance.now(),
    sleep: (ms) => delay(ms),
  });
  const build = async () => {
    const chain = await Promise.all(authentication.map((link) => authenticatorOf(link, lasting, parts)));
    return { chain: chain.length === 0 ? null : chain, rules: await rulesOf(config, parts) };
  };
  return ConfiguredAccess.open({ build, failures, log });
}

/** The rules of a configuration, wherever they are written. */
export async function rulesOf(
  { authentication, acl }: AccessConfig,
  { log, fs }: AccessParts,
): Promise<Rules> {
  const written: WrittenRule[] =
    acl.file === undefined
      ? acl.rules.map((rule, i) => ({ ...rule, place: `acl.rules[${i}]` }))
      : parseRules(await textOfFile(acl.file, false, fs, log), acl.file);
  const named = authentication.length === 0 && written.find(asksForUser);
  if (named) {
    const text = 'asks who the user is, which nobody proves; add authentication, or leave user out';
    throw new MqttStreamError('CONFIG_INVALID', [`${named.place}: ${text}`]);
  }
  if (authentication.length > 0 && written.length === 0) {
    log.warn(
      {},
      'there is authentication but no rule: clients get in and may do nothing; write some under acl',
    );
  }
  return new Rules(written, authentication.length === 0 ? 'allow' : 'deny');
}

async function authenticatorOf(
  link: AuthenticationConfig,
  lasting: Lasting,
  { log, fs }: AccessParts,
): Promise<Authenticator> {
  switch (link.type) {
    case 'password': {
      const { users } = new PasswordFile(await textOfFile(link.file, true, fs, log), link.file);
      if (users.size === 0)
        throw invalid(link.file, 'there is no user in it; add one with "mqtt-stream passwd"');
      return new PasswordAuthenticator(users, lasting.hashes);
    }
    case 'certificate':
      return new CertificateAuthenticator(link.userFrom);
    case 'jwt': {
      const { issuer, audience, algorithms } = link;
      const wallNow = () => Date.now();
      if ('jwksFile' in link) {
        const find = keysIn(await textOfFile(link.jwksFile, false, fs, log), link.jwksFile);
        return new JwtAuthenticator({ issuer, audience, algorithms, find, wallNow });
      }
      const keys = lasting.keysOf(link.jwksUrl, link.timeout);
      // Whoever gives the keys may be away at the start: until they come nobody gets in by a token.
      await keys.refresh();
      return new JwtAuthenticator({ issuer, audience, algorithms, find: keys.find, wallNow });
    }
    case 'http': {
      const { url, timeout } = link;
      const onFault = (error: unknown) => log.warn({ err: error, url }, 'a login could not be asked for');
      return new CallbackAuthenticator({ url, timeout, gate: lasting.callbacks, fetch, onFault });
    }
  }
}

function keysIn(text: string, name: string) {
  try {
    return keySetOf(text);
  } catch (error) {
    throw invalid(name, `expected a JSON Web Key Set: ${textOf(error)}`, error);
  }
}

async function textOfFile(path: string, secret: boolean, fs: FileAccess, log: AccessLog): Promise<string> {
  try {
    const { mode } = await fs.stat(path);
    if ((mode & WRITABLE_BY_OTHERS) !== 0) log.warn({ file: path }, 'everybody may write to this file');
    else if (secret && (mode & READABLE_BY_OTHERS) !== 0)
      log.warn({ file: path }, 'everybody may read this file');
    return await fs.readFile(path, 'utf8');
  } catch (cause) {
    throw new MqttStreamError('ACCESS_FILE_UNREADABLE', [path, textOf(cause)], { cause });
  }
}

function invalid(name: string, text: string, cause?: unknown): MqttStreamError {
  return new MqttStreamError('ACCESS_FILE_INVALID', [name, text], { cause });
}

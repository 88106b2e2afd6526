import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { type Fetch, httpExchange } from './http-exchange.js';

const MOST_BYTES = 1024 * 1024;
/** Keys are asked for again after so long, ms, */
const FRESH_MS = 10 * 60_000;
/** and because of a token with a key that is not known at most as often as this. */
const PAUSE_MS = 30_000;

/** Public keys by which tokens are verified. */
export interface KeySet {
  /** Throws what jose throws; `JWKSNoMatchingKey` for a key that is not there. */
  readonly find: JWTVerifyGetKey;
}

/** @throws Error in words for what is no set of keys, or an empty one */
export function keySetOf(text: string): JWTVerifyGetKey {
  const set = JSON.parse(text) as JSONWebKeySet;
  const find = createLocalJWKSet(set);
  if (set.keys.length === 0) throw new Error('there is no key in it');
  // Whoever can read one of these makes tokens.
  const open = set.keys.find((key) => 'd' in key || key.kty === 'oct');
  if (open !== undefined) throw new Error('it holds a secret key; only public ones belong there');
  return find;
}

export interface RemoteKeySetOptions {
  readonly url: string;
  /** ms */
  readonly timeout: number;
  readonly fetch: Fetch;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly onFault: (error: unknown) => void;
}

/** Keys that somebody publishes. They are asked for again now and then; if that fails the known ones stay. */
export class RemoteKeySet implements KeySet {
  readonly #options: RemoteKeySetOptions;
  #keys: JWTVerifyGetKey | null = null;
  #asked = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;

  constructor(options: RemoteKeySetOptions) {
    this.#options = options;
  }

  /** Resolves when the keys have come or could not be had. All who ask meanwhile wait for the same answer. */
  refresh(): Promise<void> {
    this.#asked = this.#options.now();
    this.#asking ??= this.#refresh().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  readonly find: JWTVerifyGetKey = async (header, token) => {
    const age = () => this.#options.now() - this.#asked;
    if (this.#keys === null && (age() > PAUSE_MS || this.#asking !== null)) await this.refresh();
    else if (age() > FRESH_MS) void this.refresh();
    if (this.#keys === null) throw new NoKeys(`there are no keys of ${this.#options.url}`);
    try {
      return await this.#keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || age() <= PAUSE_MS) throw error;
      await this.refresh();
      return this.#keys(header, token);
    }
  };

  async #refresh(): Promise<void> {
    const { fetch, onFault, timeout, url } = this.#options;
    try {
      const { status, text } = await httpExchange(fetch, url, {}, timeout, MOST_BYTES);
      if (status !== 200) throw new Error(`${url} answered with HTTP status ${status}`);
      this.#keys = keySetOf(text);
    } catch (error) {
      onFault(error);
    }
  }
}

/** No key could be had yet: it is not the token's fault. */
export class NoKeys extends Error {}

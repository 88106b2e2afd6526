import { isUtf8 } from 'node:buffer';
import type { Credentials, Verdict } from './access.js';
import { NOT_AUTHORIZED } from './access.js';
import { type Authenticator, UNAVAILABLE, WRONG } from './authenticator.js';
import type { Gate } from './gate.js';
import { type Fetch, httpExchange } from './http-exchange.js';

const MOST_BYTES = 64 * 1024;

export interface CallbackOptions {
  readonly url: string;
  /** ms */
  readonly timeout: number;
  readonly gate: Gate;
  readonly fetch: Fetch;
  readonly onFault: (error: unknown) => void;
}

/**
 * Somebody else decides: a POST of `{clientId, user, password, address}` is answered with 2xx for yes, 401 or 403
 * for no. Whatever else happens is no decision, and nobody gets in meanwhile.
 */
export class CallbackAuthenticator implements Authenticator {
  readonly #options: CallbackOptions;

  constructor(options: CallbackOptions) {
    this.#options = options;
  }

  async authenticate({ clientId, user, password, address }: Credentials): Promise<Verdict | null> {
    const { fetch, gate, onFault, timeout, url } = this.#options;
    // JSON has no bytes, and what would come there instead is another password.
    if (password !== null && !isUtf8(password)) return WRONG;
    const body = JSON.stringify({ clientId, user, password: password?.toString() ?? null, address });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    try {
      const answer = await gate.run(() => httpExchange(fetch, url, init, timeout, MOST_BYTES));
      if (answer === null) return UNAVAILABLE;
      const { status } = answer;
      if (status >= 200 && status < 300) return { allowed: true, user };
      if (status === 401) return WRONG;
      if (status === 403) return { allowed: false, reason: NOT_AUTHORIZED };
      throw new Error(`${url} answered with HTTP status ${status}`);
    } catch (error) {
      onFault(error);
      return UNAVAILABLE;
    }
  }
}

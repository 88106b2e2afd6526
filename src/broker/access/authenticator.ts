import type { Credentials, Refusal, Verdict } from './access.js';
import { BAD_USER_NAME_OR_PASSWORD, SERVER_UNAVAILABLE } from './access.js';

/** One link of the chain. */
export interface Authenticator {
  /** null: these credentials are nothing that it knows, let the next one decide. */
  authenticate(credentials: Credentials): Promise<Verdict | null>;
}

export const WRONG: Refusal = { allowed: false, reason: BAD_USER_NAME_OR_PASSWORD };
export const UNAVAILABLE: Refusal = { allowed: false, reason: SERVER_UNAVAILABLE };

import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Credentials, Verdict } from './access.js';
import { type Authenticator, UNAVAILABLE, WRONG } from './authenticator.js';
import { NoKeys } from './key-set.js';

export interface JwtOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  readonly find: JWTVerifyGetKey;
  /** Wall time, ms. */
  readonly wallNow: () => number;
}

/** Three parts of base64url. */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;
/** Clocks differ, s. */
const TOLERANCE_S = 5;

/** A token as the password. The user is its `sub`, whatever the client calls itself, until the token expires. */
export class JwtAuthenticator implements Authenticator {
  readonly #options: JwtOptions;

  constructor(options: JwtOptions) {
    this.#options = options;
  }

  async authenticate({ password }: Credentials): Promise<Verdict | null> {
    const { issuer, audience, algorithms, find, wallNow } = this.#options;
    const token = password?.toString('latin1') ?? '';
    if (claimsOf(token)?.iss !== issuer) return null;
    try {
      const { payload } = await jwtVerify(token, find, {
        issuer,
        audience,
        algorithms: [...algorithms],
        requiredClaims: ['exp', 'sub'],
        clockTolerance: TOLERANCE_S,
        currentDate: new Date(wallNow()),
      });
      const { exp, sub } = payload;
      return sub ? { allowed: true, user: sub, until: (exp! + TOLERANCE_S) * 1000 } : WRONG;
    } catch (error) {
      if (error instanceof NoKeys) return UNAVAILABLE;
      if (error instanceof errors.JOSEError) return WRONG;
      throw error;
    }
  }
}

/** What a token says, verified or not; null if it is none. */
function claimsOf(token: string): JWTPayload | null {
  if (!TOKEN.test(token)) return null;
  try {
    return decodeJwt(token);
  } catch (error) {
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}

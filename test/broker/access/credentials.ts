import type { Credentials } from '../../../src/broker/access/access.js';
import type { PasswordHash } from '../../../src/broker/access/password-hash.js';
import { hashPassword } from '../../../src/broker/access/password-hash.js';

export function credentials(
  more: Partial<Omit<Credentials, 'password'>> & { password?: string | null } = {},
) {
  const { password = null, ...rest } = more;
  return {
    clientId: 'c1',
    user: null,
    address: '10.0.0.1',
    local: false,
    inside: false,
    certificate: null,
    ...rest,
    password: password === null ? null : Buffer.from(password),
  } satisfies Credentials;
}

/** As cheap as may be: tests need no cost. */
export const CHEAP = { ln: 10, r: 1, p: 1 };

export function cheapHash(password: string, salt = 'salt-salt-salt-1'): Promise<PasswordHash> {
  return hashPassword(Buffer.from(password), Buffer.from(salt), CHEAP);
}

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Credentials, Verdict } from './access.js';
import { type Authenticator, UNAVAILABLE, WRONG } from './authenticator.js';
import type { Gate } from './gate.js';
import { COST, isPassword, type PasswordHash, SALT_BYTES } from './password-hash.js';

/**
 * Users with a password in a file. A user that is not there costs as much time as a wrong password. `gate` bounds
 * how many are looked at together: each takes a thread of the pool that files and names of hosts need, too.
 */
export class PasswordAuthenticator implements Authenticator {
  readonly #users: ReadonlyMap<string, PasswordHash>;
  readonly #gate: Gate;
  readonly #nobody: PasswordHash;
  /**
   * The last right password of each user, under a key that nobody has: a thousand clients that come back after a
   * lost connection are not a minute of work.
   */
  readonly #right = new Map<string, Buffer>();
  readonly #key = randomBytes(32);

  constructor(users: ReadonlyMap<string, PasswordHash>, gate: Gate) {
    this.#users = users;
    this.#gate = gate;
    const [{ ln, r, p } = COST] = users.values();
    this.#nobody = { ln, r, p, salt: randomBytes(SALT_BYTES), hash: randomBytes(32) };
  }

  async authenticate({ user, password }: Credentials): Promise<Verdict | null> {
    if (user === null || password === null) return null;
    const kept = this.#users.get(user);
    const mac = createHmac('sha256', this.#key).update(password).digest();
    const right = this.#right.get(user);
    if (right !== undefined && timingSafeEqual(mac, right)) return { allowed: true, user };
    const answer = await this.#gate.run(() => isPassword(password, kept ?? this.#nobody));
    if (answer === null) return UNAVAILABLE;
    if (kept === undefined) return null;
    if (!answer) return WRONG;
    this.#right.set(user, mac);
    return { allowed: true, user };
  }
}

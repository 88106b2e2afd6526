import type { Credentials, Verdict } from './access.js';
import type { Authenticator } from './authenticator.js';

/** Clients with a certificate that TLS has verified; whatever they call themselves, they are who it names. */
export class CertificateAuthenticator implements Authenticator {
  readonly #userFrom: 'cn' | 'san';

  constructor(userFrom: 'cn' | 'san') {
    this.#userFrom = userFrom;
  }

  async authenticate({ certificate }: Credentials): Promise<Verdict | null> {
    const user = this.#userFrom === 'cn' ? certificate?.commonName : certificate?.altNames[0];
    return user ? { allowed: true, user } : null;
  }
}

import { asKnown } from '../../errors.js';
import { TRANSFER_USER } from '../../topics.js';
import type { Log } from '../log.js';
import {
  type Access,
  type Credentials,
  type Identity,
  NOT_AUTHORIZED,
  OPEN_ACCESS,
  SERVER_UNAVAILABLE,
  type Verdict,
} from './access.js';
import { type Authenticator, UNAVAILABLE, WRONG } from './authenticator.js';
import type { Failures } from './failures.js';
import type { Rules } from './rules.js';

/** What is made of the configuration and its files, as a whole. */
export interface AccessState {
  /** Asked one after the other; null: everybody gets in. */
  readonly chain: readonly Authenticator[] | null;
  readonly rules: Rules;
}

export interface ConfiguredAccessParts {
  /** Rejects for files that cannot be used. */
  readonly build: () => Promise<AccessState>;
  readonly failures: Failures;
  readonly log: Log;
}

/** Authentication and rules as they are configured. */
export class ConfiguredAccess implements Access {
  readonly restrictsPublish = true;
  readonly #parts: ConfiguredAccessParts;
  readonly #callbacks: (() => void)[] = [];
  #state: AccessState;

  private constructor(parts: ConfiguredAccessParts, state: AccessState) {
    this.#parts = parts;
    this.#state = state;
  }

  /** Rejects as `build`. */
  static async open(parts: ConfiguredAccessParts): Promise<ConfiguredAccess> {
    return new ConfiguredAccess(parts, await parts.build());
  }

  async renew(): Promise<() => void> {
    const state = await this.#parts.build();
    return () => {
      this.#state = state;
      for (const callback of this.#callbacks) callback();
    };
  }

  async authenticate(credentials: Credentials): Promise<Verdict> {
    if (credentials.inside) return OPEN_ACCESS.authenticate(credentials);
    const verdict = impostor(credentials, await this.#asked(credentials));
    if (verdict.allowed || verdict.reason === SERVER_UNAVAILABLE) return verdict;
    await this.#parts.failures.add(credentials.address ?? '');
    return verdict;
  }

  mayPublish(who: Identity, topic: string): boolean {
    return who.inside ? OPEN_ACCESS.mayPublish(who, topic) : this.#state.rules.allow(who, 'publish', topic);
  }

  maySubscribe(who: Identity, filter: string): boolean {
    return who.inside || this.#state.rules.allow(who, 'subscribe', withoutShare(filter));
  }

  get restrictsDelivery(): boolean {
    return this.#state.rules.restrictDelivery;
  }

  mayReceive(who: Identity, topic: string): boolean {
    if (who.inside) return true;
    if (!this.#state.rules.allow(who, 'subscribe', topic)) return false;
    // What somebody else has asked for comes to all who subscribed: each gets of it what it may read itself.
    return !topic.startsWith('MQfile/') || this.mayReadHistory(who, replayedTopic(topic));
  }

  mayReadHistory(who: Identity, filter: string): boolean {
    return this.#state.rules.allow(who, 'history', filter);
  }

  isTransferClient(who: Identity): boolean {
    if (who.inside) return true;
    return who.user === TRANSFER_USER && this.#state.rules.allow(who, 'publish', 'ParquetFile/#');
  }

  onChange(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  async #asked(credentials: Credentials): Promise<Verdict> {
    const { chain } = this.#state;
    const { user } = credentials;
    // Nobody has asked for a password: then it is nobody's name.
    if (chain === null) return user === TRANSFER_USER ? WRONG : { allowed: true, user };
    try {
      for (const link of chain) {
        const verdict = await link.authenticate(credentials);
        if (verdict !== null) return verdict;
      }
      return WRONG;
    } catch (error) {
      this.#parts.log.error({ err: asKnown(error) }, 'a client could not be authenticated');
      return UNAVAILABLE;
    }
  }
}

/** Nobody else is to drive a transfer client out by its client id. */
function impostor({ clientId }: Credentials, verdict: Verdict): Verdict {
  const taken = verdict.allowed && verdict.user !== TRANSFER_USER && clientId.startsWith(`${TRANSFER_USER}-`);
  return taken ? { allowed: false, reason: NOT_AUTHORIZED } : verdict;
}

function withoutShare(filter: string): string {
  return filter.startsWith('$share/') ? filter.slice(filter.indexOf('/', '$share/'.length) + 1) : filter;
}

/** The topic of the message on `MQfile/<id>/<key>/<topic>`; all topics where it did not fit. */
function replayedTopic(topic: string): string {
  const afterId = topic.indexOf('/', 'MQfile/'.length);
  const afterKey = afterId === -1 ? -1 : topic.indexOf('/', afterId + 1);
  return afterKey === -1 ? '#' : topic.slice(afterKey + 1);
}

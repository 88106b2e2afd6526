/** Access whose chain and rules a test makes up. */
import type { Credentials, Verdict } from '../../../src/broker/access/access.js';
import type { Authenticator } from '../../../src/broker/access/authenticator.js';
import { type AccessState, ConfiguredAccess } from '../../../src/broker/access/configured.js';
import { Failures } from '../../../src/broker/access/failures.js';
import { ACTIONS, type WrittenRule } from '../../../src/broker/access/rule.js';
import { Rules } from '../../../src/broker/access/rules.js';
import { TestLog } from '../fixture.js';

export const allow = (topic: string, more: Partial<WrittenRule> = {}): WrittenRule => ({
  permit: 'allow',
  action: [...ACTIONS],
  place: 'here',
  ...more,
  topic: [topic],
});

/** What a reload finds is what `state` says then. */
export class Bench {
  state: AccessState | Error;
  readonly log = new TestLog();
  readonly delayed: number[] = [];
  readonly failures = new Failures({
    now: () => 0,
    sleep: async (ms) => {
      this.delayed.push(ms);
    },
  });

  constructor(chain: readonly Authenticator[] | null, rules: readonly WrittenRule[] = []) {
    this.state = { chain, rules: new Rules(rules, chain === null ? 'allow' : 'deny') };
  }

  open(): Promise<ConfiguredAccess> {
    const build = async () => {
      if (this.state instanceof Error) throw this.state;
      return this.state;
    };
    return ConfiguredAccess.open({ build, failures: this.failures, log: this.log });
  }
}

export function link(answer: Verdict | null | Error, asked: Credentials[] = []): Authenticator {
  return {
    authenticate: async (given) => {
      asked.push(given);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

/** Knows who has `<user>-password`, and nobody else. */
export const PASSWORDS: Authenticator = {
  authenticate: async ({ user, password }) => {
    if (user === null || password === null) return null;
    const right = password.toString() === `${user}-password`;
    return right ? { allowed: true, user } : { allowed: false, reason: 0x86 };
  },
};

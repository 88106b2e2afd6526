import { addressMatcher } from '../../addresses.js';
import { isOwnTopic } from '../../topics.js';
import type { Identity } from './access.js';
import { type Levels, levelsOf } from './covers.js';

export const ACTIONS = ['publish', 'subscribe', 'history'] as const;
export type Action = (typeof ACTIONS)[number];

/** A rule as it is written. What is left out holds for everybody. */
export interface WrittenRule {
  readonly permit: 'allow' | 'deny';
  readonly user?: string | undefined;
  readonly clientId?: string | undefined;
  /** An address or a range such as `10.0.0.0/8`. */
  readonly address?: string | undefined;
  readonly action: readonly Action[];
  /** Filters, with `${username}` and `${clientId}` for those of the client. */
  readonly topic: readonly string[];
  /** Where it is written: `acl.yaml:12`, `acl.rules[3]`. */
  readonly place: string;
}

const PLACEHOLDER = /\$\{(username|clientId)\}/g;
/** In a topic these have a meaning: a name that holds one would reach further than the rule says. */
const UNUSABLE = /[+#/\0]/;

/** Whether a rule asks who the user is. */
export function asksForUser({ user, topic }: WrittenRule): boolean {
  return user !== undefined || topic.some((template) => template.includes('${username}'));
}

/** One rule, ready to be asked. */
export class Rule {
  readonly written: WrittenRule;
  readonly #inRange: ((address: string) => boolean) | null;

  constructor(written: WrittenRule) {
    this.written = written;
    this.#inRange = written.address === undefined ? null : addressMatcher(written.address);
  }

  /** Why it is not for a client, or null if it is. */
  mismatch(who: Identity): string | null {
    const { user, clientId, address } = this.written;
    if (user !== undefined && user !== who.user) return `is for user ${user}`;
    if (clientId !== undefined && clientId !== who.clientId) return `is for client id ${clientId}`;
    if (address === undefined) return null;
    if (who.address === null || this.#inRange?.(who.address) !== true) return `is for address ${address}`;
    return null;
  }

  /** Its filters for a client, without those that the names of the client do not fit into. */
  filtersFor(who: Identity): Levels[] {
    return this.written.topic
      .map((template) => filled(template, who))
      .filter((filter) => filter !== null)
      .map(levelsOf);
  }

  toString(): string {
    const { permit, action, topic, user, clientId, address } = this.written;
    const actions = action.length === ACTIONS.length ? 'all' : action.join(', ');
    const whom = [
      user !== undefined && `user ${user}`,
      clientId !== undefined && `client id ${clientId}`,
      address !== undefined && `address ${address}`,
    ].filter(Boolean);
    return `${permit} ${actions} on ${topic.join(', ')} for ${whom.join(', ') || 'everybody'}`;
  }
}

function filled(template: string, { user, clientId }: Identity): string | null {
  let usable = true;
  const filter = template.replace(PLACEHOLDER, (_, name) => {
    const value = name === 'username' ? user : clientId;
    usable &&= value !== null && value !== '' && !UNUSABLE.test(value);
    return value ?? '';
  });
  if (!usable) return null;
  // A client that calls itself $SYS or MQfile must not get the broker's topics by "${clientId}/#".
  const named = template.split('/', 1)[0].search(PLACEHOLDER) !== -1;
  return named && (filter.startsWith('$') || isOwnTopic(filter)) ? null : filter;
}

import { isOwnTopic, TRANSFER_USER } from '../../topics.js';
import { type Identity, isRequestTopic } from './access.js';
import { covers, type Levels, levelsOf, overlap } from './covers.js';
import { type Action, Rule, type WrittenRule } from './rule.js';

export interface Decision {
  readonly allowed: boolean;
  /** What decided; null: no rule did. */
  readonly rule: Rule | null;
  readonly why: string;
  /** What did not decide, and why not, in order. */
  readonly passed: readonly string[];
}

/** Of topics and filters that one client asked for; when there are more, they are decided anew. */
const MOST_REMEMBERED = 1024;
const MOST_CHARACTERS = 256;

/** After those that are written, for the broker's own topics: ask, and read what comes; send files if a rule says so. */
const BUILT_IN: readonly WrittenRule[] = [
  { permit: 'allow', action: ['publish'], topic: ['$STREAM/#'], place: 'built in' },
  { permit: 'deny', action: ['publish'], topic: ['ParquetFile/#'], place: 'built in' },
  {
    permit: 'allow',
    action: ['subscribe'],
    topic: ['$STREAM/#', 'MQfile/#', 'ParquetFile/#', '$SYS/#'],
    place: 'built in',
  },
];

/** Rules in their order: the first that is for the client, the action and the topic decides. */
export class Rules {
  /** Some topics of a filter that may be subscribed to may be denied. */
  readonly restrictDelivery: boolean;
  readonly #rules: readonly Rule[];
  readonly #otherwise: 'allow' | 'deny';
  #rights = new WeakMap<Identity, Rights>();

  /** `otherwise`: what holds where no rule decides. */
  constructor(written: readonly WrittenRule[], otherwise: 'allow' | 'deny') {
    this.#rules = [...written, ...BUILT_IN].map((rule) => new Rule(rule));
    this.#otherwise = otherwise;
    this.restrictDelivery = written.some(
      ({ permit, action }) => permit === 'deny' && action.includes('subscribe'),
    );
  }

  /**
   * Remembered for each identity. `filter` may be a topic name. To subscribe to a filter one rule has to cover it,
   * and what is denied of it is kept back at delivery. Of history there is no part: it is for those only who may
   * read, and subscribe to, every topic of the filter.
   */
  allow(who: Identity, action: Action, filter: string): boolean {
    let rights = this.#rights.get(who);
    if (rights === undefined) {
      rights = new Rights(this.#rules, this.#otherwise, who);
      this.#rights.set(who, rights);
    }
    return rights.allow(action, filter);
  }

  /** The same with reasons. */
  decide(who: Identity, action: Action, filter: string): Decision {
    if (action !== 'history') return this.#decide(who, action, filter, false);
    const history = this.#decide(who, action, filter, true);
    if (!history.allowed) return history;
    const subscribe = this.#decide(who, 'subscribe', filter, true);
    return subscribe.allowed ? history : { ...subscribe, why: `history needs subscribe: ${subscribe.why}` };
  }

  #decide(who: Identity, action: Action, filter: string, whole: boolean): Decision {
    const passed: string[] = [];
    const levels = levelsOf(filter);
    const reserved = action === 'publish' ? reservedFor(who, filter) : null;
    if (reserved !== null) return { allowed: false, rule: null, why: reserved, passed };
    for (const rule of this.#rules) {
      const why = mismatch(rule, who, action, levels, whole);
      if (why === null) {
        const allowed = rule.written.permit === 'allow';
        return { allowed, rule, why: `${rule.written.place}: ${rule}`, passed };
      }
      passed.push(`${rule.written.place}: ${rule}: ${why}`);
    }
    const why = `no rule is for it, and then everything is ${this.#otherwise === 'allow' ? 'allowed' : 'denied'}`;
    return { allowed: this.#otherwise === 'allow', rule: null, why, passed };
  }
}

/** What one client may do. */
class Rights {
  readonly #who: Identity;
  readonly #otherwise: boolean;
  readonly #entries: readonly { allow: boolean; action: readonly Action[]; filters: readonly Levels[] }[];
  readonly #remembered: Readonly<Record<Action, Map<string, boolean>>> = {
    publish: new Map(),
    subscribe: new Map(),
    history: new Map(),
  };

  constructor(rules: readonly Rule[], otherwise: 'allow' | 'deny', who: Identity) {
    this.#who = who;
    this.#otherwise = otherwise === 'allow';
    this.#entries = rules
      .filter((rule) => rule.mismatch(who) === null)
      .map((rule) => ({
        allow: rule.written.permit === 'allow',
        action: rule.written.action,
        filters: rule.filtersFor(who),
      }));
  }

  allow(action: Action, filter: string): boolean {
    const remembered = this.#remembered[action];
    const known = remembered.get(filter);
    if (known !== undefined) return known;
    const allowed = this.#decide(action, filter);
    // Those of replays never come again.
    if (filter.length > MOST_CHARACTERS || isOwnTopic(filter)) return allowed;
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    remembered.set(filter, allowed);
    return allowed;
  }

  #decide(action: Action, filter: string): boolean {
    const levels = levelsOf(filter);
    if (action === 'history')
      return this.#first(action, levels, true) && this.#first('subscribe', levels, true);
    if (action === 'publish' && reservedFor(this.#who, filter) !== null) return false;
    return this.#first(action, levels, false);
  }

  #first(action: Action, filter: Levels, whole: boolean): boolean {
    const decisive = this.#entries.find(
      ({ allow, action: actions, filters }) =>
        actions.includes(action) && filters.some((one) => decides(one, allow, filter, whole)),
    );
    return decisive?.allow ?? this.#otherwise;
  }
}

/** Whether a rule for `wide` decides about `filter`. `whole`: what denies a part of it denies all of it. */
function decides(wide: Levels, allow: boolean, filter: Levels, whole: boolean): boolean {
  return covers(wide, filter) || (whole && !allow && overlap(wide, filter));
}

/** Why a client cannot publish on one of the broker's own topics, whatever the rules say; null if it can. */
function reservedFor({ user }: Identity, topic: string): string | null {
  if (!isOwnTopic(topic) || isRequestTopic(topic)) return null;
  if (!topic.startsWith('ParquetFile/')) return 'the topic is reserved for the broker';
  return user === TRANSFER_USER ? null : 'the topic is reserved for the transfer client';
}

/** Why a rule does not decide, or null if it does. */
function mismatch(rule: Rule, who: Identity, action: Action, filter: Levels, whole: boolean): string | null {
  const { written } = rule;
  const notFor = rule.mismatch(who);
  if (notFor !== null) return notFor;
  if (!written.action.includes(action)) return `is for ${written.action.join(', ')}`;
  const filters = rule.filtersFor(who);
  const allow = written.permit === 'allow';
  if (filters.some((one) => decides(one, allow, filter, whole))) return null;
  if (filters.length < written.topic.length) return 'the names of this client do not fit into its topic';
  if (!filters.some((one) => overlap(one, filter))) return 'is for other topics';
  return allow
    ? 'is for a part of the filter only'
    : 'is for a part of the filter: messages of that part are not delivered';
}

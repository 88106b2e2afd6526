import { isOwnTopic, topicMatcher } from '../topics.js';

/** One line of `in` or `out`. */
export interface Rule {
  readonly filter: string;
  readonly qos: 0 | 1;
  readonly remove: string;
  readonly add: string;
}

/** Which messages pass a bridge in one direction. */
export class Rules {
  readonly #rules: readonly { rule: Rule; matches: (topic: string) => boolean; own: boolean }[];

  constructor(rules: readonly Rule[]) {
    this.#rules = rules.map((rule) => ({
      rule,
      matches: topicMatcher(rule.filter),
      own: isOwnTopic(rule.filter),
    }));
  }

  /**
   * The first rule whose filter matches. A broker's own traffic passes only where a filter names it: `#` matches
   * `MQfile/...`, too, but nobody means it.
   */
  find(topic: string): Rule | null {
    const isOwn = isOwnTopic(topic);
    for (const { rule, matches, own } of this.#rules) {
      if ((own || !isOwn) && matches(topic)) return rule;
    }
    return null;
  }
}

/** What a topic that matches the rule is called on the other side; perhaps no topic name at all. */
export function remapped({ remove, add }: Rule, topic: string): string {
  if (topic.startsWith(remove)) return add + topic.slice(remove.length);
  // "a/#" matches "a", too, which is "b" if "a/..." is "b/...".
  return add.endsWith('/') ? add.slice(0, -1) : add;
}

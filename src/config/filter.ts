/** What a stream may ask for: MQTT topic filters, less shared subscriptions and the broker's own topics. */
import { filterFault, isOwnTopic } from '../topics.js';

/** Why `filter` cannot exclude messages from a stream, or undefined if it can. */
export function excludeProblem(filter: string): string | undefined {
  // MQTT-1.5.4-1: half of a surrogate pair would become U+FFFD in UTF-8 and never match.
  if (Buffer.from(filter).toString() !== filter) return 'a topic filter is well-formed Unicode';
  if (filter.startsWith('$share/')) return 'a stream takes no shared subscription; leave $share out';
  return filterFault(filter) ?? undefined;
}

/** Why `filter` cannot choose the messages of a stream, or undefined if it can. */
export function captureProblem(filter: string): string | undefined {
  return isOwnTopic(`${filter}/`)
    ? "this is the broker's own traffic, which is never captured"
    : excludeProblem(filter);
}

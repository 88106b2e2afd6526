/** MQTT topic names and topic filters (MQTT 5, section 4.7): what is well-formed, what matches what. */

/** Topics below these, and these, only the broker and its transfer client publish; never captured. */
const OWN_ROOTS = ['$SYS', '$STREAM', 'MQfile', 'ParquetFile'];
const MOST_BYTES = 65_535;
const SHARE = '$share/';
/** Characters, of at most three bytes. */
const MOST_TAIL = 21_000;
/** What a text that names something should not have [MQTT-1.5.4-1]. */
const CONTROL_CHARACTER = /[\p{Cc}\p{Noncharacter_Code_Point}]/u;

/** User name by which the broker knows its transfer client. */
export const TRANSFER_USER = 'mqtt-stream-transfer';

/** Whether a topic belongs to the broker's own traffic. */
export function isOwnTopic(topic: string): boolean {
  const first = topic.charCodeAt(0);
  // '$', 'M', 'P': most topics are done after one comparison.
  if (first !== 36 && first !== 77 && first !== 80) return false;
  return OWN_ROOTS.some(
    (root) => topic.startsWith(root) && (topic.length === root.length || topic[root.length] === '/'),
  );
}

/** Why a topic filter is not well-formed, or null if it is. */
export function filterFault(filter: string): string | null {
  if (filter.length === 0) return 'a topic filter has at least one character [MQTT-4.7.3-1]';
  if (hasControlCharacter(filter)) return 'a topic filter has no control character [MQTT-4.7.3-2]';
  if (tooLong(filter)) return 'a topic filter has at most 65,535 bytes [MQTT-4.7.3-3]';
  const levels = filter.split('/');
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i];
    if (level.includes('#') && (level !== '#' || i !== levels.length - 1)) {
      return '"#" stands alone and last [MQTT-4.7.1-1]';
    }
    if (level.includes('+') && level !== '+') return '"+" is a whole level [MQTT-4.7.1-2]';
  }
  return null;
}

/** The group and the filter of a shared subscription, `$share/<group>/<filter>`; null: it is none. */
export function sharedFilter(filter: string): { group: string; filter: string } | null {
  if (!filter.startsWith(SHARE)) return null;
  const end = filter.indexOf('/', SHARE.length);
  if (end === -1) return { group: filter.slice(SHARE.length), filter: '' };
  return { group: filter.slice(SHARE.length, end), filter: filter.slice(end + 1) };
}

/** Why what is subscribed to, shared or not, is not well-formed, or null if it is. */
export function subscribedFault(filter: string): string | null {
  const shared = sharedFilter(filter);
  if (shared === null) return filterFault(filter);
  if (shared.group === '' || /[+#]/.test(shared.group)) {
    return 'the name of a share has at least one character, and neither "+" nor "#" [MQTT-4.8.2-1]';
  }
  return filterFault(shared.filter) ?? filterFault(filter);
}

/** Why a topic name cannot be published to, or null if it can. */
export function topicFault(topic: string): string | null {
  if (topic.length === 0) return 'a topic name has at least one character [MQTT-4.7.3-1]';
  if (hasControlCharacter(topic)) return 'a topic name has no control character [MQTT-4.7.3-2]';
  if (tooLong(topic)) return 'a topic name has at most 65,535 bytes [MQTT-4.7.3-3]';
  if (topic.includes('+') || topic.includes('#')) return 'a topic name has no wildcard [MQTT-3.3.2-2]';
  return null;
}

/** A client id as the end of a topic name: no wildcard, and not too long for one. */
export function topicTail(clientId: string): string {
  return clientId.slice(0, MOST_TAIL).replace(/[+#\0]/g, '_') || '_';
}

/** Why a topic cannot be published to where topics have at most so many levels, or null if it can. */
export function levelsFault(topic: string, most: number): string | null {
  let levels = 1;
  for (let at = topic.indexOf('/'); at !== -1; at = topic.indexOf('/', at + 1)) levels++;
  return levels > most ? `the topic has more than ${most} levels` : null;
}

/** NUL and other control characters, and code points that are no characters. */
export function hasControlCharacter(text: string): boolean {
  return CONTROL_CHARACTER.test(text);
}

/** Why a topic or filter is longer than allowed, or null if it is not. `most` in bytes. */
export function lengthFault(text: string, most: number): string | null {
  return text.length * 3 > most && Buffer.byteLength(text) > most
    ? `the topic has more than ${most} bytes`
    : null;
}

/** Counted in UTF-8, where a character of UTF-16 has at most 3 bytes: most texts need no counting. */
function tooLong(text: string): boolean {
  return lengthFault(text, MOST_BYTES) !== null;
}

/** A test for one well-formed filter. A leading wildcard does not match a topic that starts with `$` [MQTT-4.7.2-1]. */
export function topicMatcher(filter: string): (topic: string) => boolean {
  if (filter === '#') return (topic) => topic.charCodeAt(0) !== 36;
  if (!filter.includes('+') && !filter.endsWith('#')) return (topic) => topic === filter;
  const levels = filter.split('/');
  const open = levels[levels.length - 1] === '#';
  if (open) levels.pop();
  const wildFirst = levels[0] === '+';
  return (topic) => {
    if (wildFirst && topic.charCodeAt(0) === 36) return false;
    let start = 0;
    for (const level of levels) {
      if (start > topic.length) return false;
      let end = topic.indexOf('/', start);
      if (end === -1) end = topic.length;
      if (level !== '+' && (end - start !== level.length || !topic.startsWith(level, start))) return false;
      start = end + 1;
    }
    // "a/#" matches "a" too: then the last level has just been used up.
    return open || start > topic.length;
  };
}

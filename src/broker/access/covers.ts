/** A filter, or a topic name as the filter that matches it alone, taken apart. */
export type Levels = readonly string[];

/** Of a well-formed filter. `#` alone matches at least one level, which is what `+/#` says. */
export function levelsOf(filter: string): Levels {
  return filter === '#' ? ['+', '#'] : filter.split('/');
}

/** Whether `wide` matches every topic that `narrow` matches. */
export function covers(wide: Levels, narrow: Levels): boolean {
  // A leading wildcard does not match a topic that starts with $ [MQTT-4.7.2-1].
  if (wide[0] === '+' && narrow[0].startsWith('$')) return false;
  for (let i = 0; i < wide.length; i++) {
    const level = wide[i];
    if (level === '#') return true;
    if (i >= narrow.length || narrow[i] === '#') return false;
    if (level !== '+' && level !== narrow[i]) return false;
  }
  return wide.length === narrow.length;
}

/** Whether there is a topic that both match. */
export function overlap(one: Levels, other: Levels): boolean {
  if ((one[0] === '+' && other[0].startsWith('$')) || (other[0] === '+' && one[0].startsWith('$')))
    return false;
  for (let i = 0; i < one.length || i < other.length; i++) {
    const [a, b] = [one[i], other[i]];
    if (a === '#' || b === '#') return true;
    if (a === undefined || b === undefined) return false;
    if (a !== b && a !== '+' && b !== '+') return false;
  }
  return true;
}

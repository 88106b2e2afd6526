/**
 * Whether `wide` matches every topic that `narrow` matches. Both are well-formed filters; a topic name is one that
 * matches itself.
 */
export function covers(wide: string, narrow: string): boolean {
  const outer = levelsOf(wide);
  const inner = levelsOf(narrow);
  // A leading wildcard does not match a topic that starts with $ [MQTT-4.7.2-1].
  if (outer[0] === '+' && inner[0].startsWith('$')) return false;
  for (const [i, level] of outer.entries()) {
    if (level === '#') return true;
    if (i >= inner.length || inner[i] === '#') return false;
    if (level !== '+' && level !== inner[i]) return false;
  }
  return outer.length === inner.length;
}

/** Whether there is a topic that both match. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [levelsOf(one), levelsOf(other)];
  if ((a[0] === '+' && b[0].startsWith('$')) || (b[0] === '+' && a[0].startsWith('$'))) return false;
  for (let i = 0; i < a.length || i < b.length; i++) {
    if (a[i] === '#' || b[i] === '#') return true;
    if (a[i] === undefined || b[i] === undefined) return false;
    if (a[i] !== b[i] && a[i] !== '+' && b[i] !== '+') return false;
  }
  return true;
}

/** `#` alone matches at least one level, which is what `+/#` says. */
function levelsOf(filter: string): string[] {
  return filter === '#' ? ['+', '#'] : filter.split('/');
}

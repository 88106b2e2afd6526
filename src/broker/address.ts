/** Groups of an IPv6 address that tell who its network was given to: the rest is the client's own to choose. */
const NETWORK_GROUPS = 4;
const GROUPS = 8;

/** What counts as one address: an IPv4 address, or the /64 network of an IPv6 address. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  if (/^::ffff:\d+\./i.test(address)) return address.slice(address.lastIndexOf(':') + 1);
  const [head, tail] = address.split('::', 2);
  const groups = groupsOf(head);
  if (tail !== undefined) {
    const after = groupsOf(tail);
    while (groups.length + after.length < GROUPS) groups.push('0');
    groups.push(...after);
  }
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`;
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

/** Addresses of peers, as Node gives them, and ranges of them. */
import { BlockList, isIP, isIPv4 } from 'node:net';

const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

/** A peer without an address is inside this process. */
export function isLocalAddress(address: string | undefined): boolean {
  return address === undefined || address === '::1' || /^(::ffff:)?127\./.test(address);
}

/** A test for one address or a range such as `10.0.0.0/8`; null if it is neither. */
export function addressMatcher(range: string): ((address: string) => boolean) | null {
  const [net, bits, ...more] = range.split('/');
  const version = isIP(net);
  const most = version === 4 ? 32 : 128;
  if (version === 0 || more.length > 0) return null;
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most)) return null;
  const list = new BlockList();
  list.addSubnet(net, bits === undefined ? most : Number(bits), version === 4 ? 'ipv4' : 'ipv6');
  return (address) => {
    // IPv4 on a socket for both; and the interface of a link-local one is not part of it.
    const plain = address.replace(MAPPED, '').replace(/%.*$/, '');
    return isIP(plain) !== 0 && list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
  };
}

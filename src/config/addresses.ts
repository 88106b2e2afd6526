/** Where is listened: at no address twice, and at none that strangers reach, unless that is written down. */
import type { z } from 'zod';
import { dotted, type Path } from './path.js';

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Addresses {
  readonly listeners: readonly Address[];
  readonly http: Address & { readonly enabled: boolean };
}

interface Access extends Addresses {
  readonly allowAnonymous: boolean;
  readonly authentication?: readonly unknown[];
}

export function addressesDiffer(config: Addresses, context: z.core.$RefinementCtx): void {
  const taken = new Map<string, string>();
  for (const { host, port, path } of addressesOf(config)) {
    if (port === 0) continue;
    const address = `${host}:${port}`;
    const owner = taken.get(address);
    if (owner === undefined) taken.set(address, dotted(path));
    else {
      const message = `${address} is the address of ${owner} already; choose another port`;
      context.addIssue({ code: 'custom', path: [...path, 'port'], message });
    }
  }
}

/** Without authentication only addresses of this machine may be listened on. */
export function addressesClosed(config: Access, context: z.core.$RefinementCtx): void {
  const { allowAnonymous, authentication = [] } = config;
  if (allowAnonymous || authentication.length > 0) return;
  for (const { host, path } of addressesOf(config)) {
    if (isLoopback(host)) continue;
    const message = `${host} can be reached from the network, and clients need not say who they are; use 127.0.0.1, configure authentication, or set allowAnonymous: true`;
    context.addIssue({ code: 'custom', path: [...path, 'host'], message });
  }
}

function* addressesOf({ listeners, http }: Addresses): Generator<Address & { path: Path }> {
  for (const [index, { host, port }] of listeners.entries()) yield { host, port, path: ['listeners', index] };
  if (http.enabled) yield { host: http.host, port: http.port, path: ['http'] };
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/i.test(host);
}

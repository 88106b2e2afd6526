import type { KeptProperties } from './properties.js';

/** A message as it comes from the broker. */
export interface Publication {
  readonly topic: string;
  /** The topic in UTF-8, and what is remembered of it for those that come soon after on the same topic. */
  readonly known: { readonly utf8: Uint8Array; memo: unknown };
  /** Its payload is `payloadAt..payloadEnd` of this: there is no view of it, which would cost as much as the copy. */
  readonly payloadBuffer: Uint8Array;
  readonly payloadAt: number;
  readonly payloadEnd: number;
  readonly qos: number;
  readonly retain: boolean;
  readonly properties?: KeptProperties | undefined;
}

/** A publisher, with what is known of its topics. */
export interface Publisher {
  readonly clientId: string | null;
}

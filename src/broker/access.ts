import { isOwnTopic, TRANSFER_USER } from '../topics.js';

/** Who a connection is. */
export interface Identity {
  readonly user: string | null;
  /** The address is of this machine. */
  readonly local: boolean;
  /** The application itself made the connection, within the process: it is its transfer client. */
  readonly inside: boolean;
}

/** On a broker without authentication, who calls itself so on this machine is a transfer client as well. */
export function isTransferClient(identity: Identity): boolean {
  return identity.inside || (identity.local && identity.user === TRANSFER_USER);
}

/** Whether a PUBLISH is a request: it is not routed but answered, on `$STREAM/result/...`, which is none itself. */
export function isRequestTopic(topic: string): boolean {
  return topic.startsWith('$STREAM/') && !topic.startsWith('$STREAM/result/');
}

/** Whether a client may publish to a topic. */
export function mayPublish(identity: Identity, topic: string): boolean {
  if (!isOwnTopic(topic)) return true;
  return topic.startsWith('ParquetFile/') && isTransferClient(identity);
}

export function isLocalAddress(address: string | undefined): boolean {
  // A peer that has gone already has none: it may have been anywhere.
  return address !== undefined && (address === '::1' || /^(::ffff:)?127\./.test(address));
}

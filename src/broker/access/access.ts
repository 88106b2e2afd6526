/** Who gets in and who may do what, as the rest of the broker asks for it. */
import { isOwnTopic, TRANSFER_USER } from '../../topics.js';

/** Who is at the other end of a connection. */
export interface Identity {
  readonly clientId: string;
  /** As authenticated; without authentication as the client says. */
  readonly user: string | null;
  readonly address: string | null;
  /** The address is of this machine. */
  readonly local: boolean;
}

/** What a CONNECT brings. */
export interface Credentials extends Identity {
  readonly password: Buffer | null;
  /** Of the peer, verified by TLS. */
  readonly certificate: Certificate | null;
}

export interface Certificate {
  readonly commonName: string | null;
  readonly altNames: readonly string[];
}

export type Verdict = Admission | Refusal;

export interface Admission {
  readonly allowed: true;
  readonly user: string | null;
  /** Wall time in ms at which the client is to be disconnected: what it has shown is not valid any more. */
  readonly until?: number;
}

export interface Refusal {
  readonly allowed: false;
  /** For CONNACK (MQTT 5 section 3.2.2.2). */
  readonly reason: number;
}

export const BAD_USER_NAME_OR_PASSWORD = 0x86;
export const NOT_AUTHORIZED = 0x87;
export const SERVER_UNAVAILABLE = 0x88;

export interface Access {
  /** Never rejects. */
  authenticate(credentials: Credentials): Promise<Verdict>;
  mayPublish(who: Identity, topic: string): boolean;
  /** False: everybody may publish everywhere but on the broker's own topics, so there is no need to ask. */
  readonly restrictsPublish: boolean;
  maySubscribe(who: Identity, filter: string): boolean;
  /** Delivery of a message, live, retained or queued, to a subscriber. */
  mayReceive(who: Identity, topic: string): boolean;
  /** False: who may subscribe to a filter may receive all that matches it, except for the broker's own topics. */
  readonly restrictsDelivery: boolean;
  /** History of a topic or filter: search and replay. */
  mayReadHistory(who: Identity, filter: string): boolean;
  /** The one who sends the files of searches: nobody else becomes it by calling itself so. */
  isTransferClient(who: Identity): boolean;
  /** Called after the rules have changed. */
  onChange(callback: () => void): void;
}

/** Without authentication and rules: everybody may do everything but speak for the broker. */
export const OPEN_ACCESS: Access = {
  authenticate: async ({ user }) => ({ allowed: true, user }),
  mayPublish: (who, topic) =>
    !isOwnTopic(topic) ||
    isRequestTopic(topic) ||
    (topic.startsWith('ParquetFile/') && OPEN_ACCESS.isTransferClient(who)),
  restrictsPublish: false,
  maySubscribe: () => true,
  mayReceive: () => true,
  restrictsDelivery: false,
  mayReadHistory: () => true,
  isTransferClient: ({ local, user }) => local && user === TRANSFER_USER,
  onChange: () => {},
};

/** Whether a PUBLISH is a request: it is not routed but answered, on `$STREAM/result/...`, which is none itself. */
export function isRequestTopic(topic: string): boolean {
  return topic.startsWith('$STREAM/') && !topic.startsWith('$STREAM/result/');
}

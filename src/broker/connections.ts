import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isLocalAddress } from '../addresses.js';
import {
  type Access,
  BAD_USER_NAME_OR_PASSWORD,
  type Identity,
  NOT_AUTHORIZED,
  type Refusal,
  SERVER_UNAVAILABLE,
} from './access/access.js';
import type { AedesClient } from './aedes-internals.js';
import type { Capture } from './capture.js';
import { Connection, type ConnectionParts } from './connection.js';
import { Outbox, type OutboxLimits } from './delivery/outbox.js';
import { Output } from './delivery/output.js';
import { ConnectionPublisher } from './handlers/publish.js';
import type { Log } from './log.js';
import type { Sessions } from './sessions.js';
import type { BrokerStats } from './stats.js';

/** What connections are made of, and whom they tell. */
export interface ConnectionsParts extends ConnectionParts {
  readonly limits: OutboxLimits & ConnectionParts['limits'] & { readonly connections: number };
  readonly access: Access;
  readonly capture: Capture;
  readonly sessions: Sessions;
  readonly stats: BrokerStats;
  readonly log: Log;
  readonly onTransferGone: () => void;
}

/** How often held connections are kept alive. */
const KEEP_ALIVE_EVERY_MS = 1000;
/** A longer delay a timer takes for none. */
const MOST_TIMER_MS = 2 ** 31 - 1;

/** By reason code of MQTT 5. */
const RETURN_CODES: ReadonlyMap<number, readonly [number, string]> = new Map([
  [BAD_USER_NAME_OR_PASSWORD, [4, 'bad user name or password']],
  [NOT_AUTHORIZED, [5, 'not authorized']],
  [SERVER_UNAVAILABLE, [3, 'authentication is not available']],
] as const);

export type Authenticated = (error: Error | null, ok: boolean) => void;

/** All connections, from the first byte to the last. */
export class Connections {
  readonly #parts: ConnectionsParts;
  readonly #connections = new Map<AedesClient, Connection>();
  readonly #identities = new WeakMap<object, Identity>();
  readonly #held = new Set<Connection>();
  #keepAlive: NodeJS.Timeout | null = null;

  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
  }

  /** Those that are not read: they wait for room in a ring, or for subscribers that lag behind. */
  get held(): number {
    return this.#held.size;
  }

  /** Begins to keep those alive that are held: a client that is not read cannot be heard pinging. */
  listen(): void {
    this.#keepAlive = setInterval(() => {
      for (const connection of this.#held) connection.keepAlive();
    }, KEEP_ALIVE_EVERY_MS);
    this.#keepAlive.unref();
  }

  /** Takes a new connection, which aedes has `accept`ed, or ends it if there are too many or none are wanted. */
  accept(conn: Duplex, accept: (conn: Duplex) => AedesClient, wanted: boolean): AedesClient {
    const { limits, turn, stats, log } = this.#parts;
    const full = this.#connections.size >= limits.connections;
    if (!wanted || full) {
      if (wanted) log.warn({ most: limits.connections }, 'a connection was refused: there are too many');
      conn.destroy();
      return accept(conn);
    }
    const output = new Output(conn, turn);
    const client = accept(conn);
    const { remoteAddress } = conn as Socket;
    const local = isLocalAddress(remoteAddress);
    const identity: Identity = { clientId: '', user: null, address: remoteAddress ?? null, local };
    const connection = new Connection(client, output, identity, this.#parts);
    this.#connections.set(client, connection);
    stats.connections = this.#connections.size;
    client.once('connected', () => this.#connected(connection));
    conn.once('close', () => this.#closed(connection));
    return client;
  }

  /** Finds out who a client is. aedes does not wait for the answer if the client goes meanwhile. */
  authenticate(client: AedesClient, user: string | null, password: Buffer | null, done: Authenticated): void {
    const connection = this.#connections.get(client);
    if (connection === undefined) return;
    const identity = { ...connection.identity, clientId: client.id, user };
    void this.#parts.access.authenticate({ ...identity, password, certificate: null }).then((verdict) => {
      if (!verdict.allowed) {
        this.#parts.stats.refusedLogins++;
        return done(refusalOf(verdict), false);
      }
      connection.identity = { ...identity, user: verdict.user };
      this.#identities.set(client, connection.identity);
      if (verdict.until !== undefined) this.#endAt(connection, verdict.until);
      done(null, true);
    });
  }

  /** Of a client that was let in, also when its connection is gone. */
  identityOf(client: object): Identity | undefined {
    return this.#identities.get(client);
  }

  isTransferClient(client: AedesClient): boolean {
    const connection = this.#connections.get(client);
    return connection !== undefined && this.#parts.access.isTransferClient(connection.identity);
  }

  setHeld(connection: Connection, held: boolean): void {
    if (held) this.#held.add(connection);
    else this.#held.delete(connection);
  }

  /** aedes ends only those that have said CONNECT; the others would keep the listeners open. */
  close(): void {
    if (this.#keepAlive !== null) clearInterval(this.#keepAlive);
    for (const { conn, connected } of this.#connections.keys()) if (!connected) conn.destroy();
  }

  #connected(connection: Connection): void {
    const { client } = connection;
    const { sessions, limits, stats, capture } = this.#parts;
    client.subscriptions = {};
    // It may have gone while aedes was letting it in.
    if (client.closed) return;
    const session = sessions.open(client);
    const outbox = new Outbox(client, connection.output, session.backlog, limits, stats);
    session.identity = connection.identity;
    // It may have been somebody else's, or the rules were others.
    sessions.review(session);
    session.attach(outbox);
    connection.outbox = outbox;
    connection.session = session;
    connection.origin = capture.origin(client.id);
    connection.publisher = new ConnectionPublisher(connection);
    connection.release();
  }

  /** What the client has shown is valid until then, wall time in ms. */
  #endAt(connection: Connection, until: number): void {
    const { client } = connection;
    const wait = () => {
      const left = until - Date.now();
      if (left <= 0) client.disconnect({ reasonCode: NOT_AUTHORIZED });
      else timer = setTimeout(wait, Math.min(left, MOST_TIMER_MS)).unref();
    };
    let timer = setTimeout(wait, 0);
    client.conn.once('close', () => clearTimeout(timer));
  }

  #closed(connection: Connection): void {
    this.#connections.delete(connection.client);
    this.#parts.stats.connections = this.#connections.size;
    this.#held.delete(connection);
    const { session, outbox } = connection;
    if (session !== null && outbox !== null) this.#parts.sessions.detach(session, outbox);
    if (this.#parts.access.isTransferClient(connection.identity)) this.#parts.onTransferGone();
  }
}

/** As aedes knows it: the return code of MQTT 3, which it translates for MQTT 5. */
function refusalOf({ reason }: Refusal): Error {
  const [returnCode, text] = RETURN_CODES.get(reason) ?? [5, 'not authorized'];
  return Object.assign(new Error(text), { returnCode });
}

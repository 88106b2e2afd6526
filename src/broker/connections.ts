import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Identity, isLocalAddress, isTransferClient } from './access.js';
import type { Admission } from './admission.js';
import type { AedesClient } from './aedes-internals.js';
import type { Capture } from './capture.js';
import { Connection, type ConnectionParts } from './connection.js';
import { Outbox, type OutboxLimits } from './delivery/outbox.js';
import { Output } from './delivery/output.js';
import { ConnectionPublisher } from './handlers/publish.js';
import type { Sessions } from './sessions.js';

/** What connections are made of, and whom they tell. */
export interface ConnectionsParts extends ConnectionParts {
  readonly limits: OutboxLimits & ConnectionParts['limits'];
  readonly admission: Admission;
  readonly capture: Capture;
  readonly sessions: Sessions;
  readonly onTransferGone: () => void;
}

/** How often held connections are kept alive. */
const KEEP_ALIVE_EVERY_MS = 1000;

/** All connections, from the first byte to the last. */
export class Connections {
  readonly #parts: ConnectionsParts;
  readonly #connections = new Map<AedesClient, Connection>();
  readonly #held = new Set<Connection>();
  readonly #inside = new WeakSet<Duplex>();
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

  /** Takes a new connection, which aedes has `accept`ed, or ends it if none are wanted. */
  accept(conn: Duplex, accept: (conn: Duplex) => AedesClient, wanted: boolean): AedesClient {
    const { turn, stats } = this.#parts;
    if (!wanted) {
      conn.destroy();
      return accept(conn);
    }
    const output = new Output(conn, turn);
    const client = accept(conn);
    const identity: Identity = {
      user: null,
      local: isLocalAddress((conn as Socket).remoteAddress),
      inside: this.#inside.has(conn),
    };
    const connection = new Connection(client, output, identity, this.#parts);
    this.#connections.set(client, connection);
    stats.connections = this.#connections.size;
    client.once('connected', () => this.#connected(connection));
    conn.once('close', () => this.#closed(connection));
    return client;
  }

  identify(client: AedesClient, user: string | undefined): void {
    const connection = this.#connections.get(client);
    if (connection !== undefined) connection.identity = { ...connection.identity, user: user ?? null };
  }

  /** The transfer client of the application connects by this stream, whatever it calls itself. */
  markInside(conn: Duplex): void {
    this.#inside.add(conn);
  }

  /** null: it has none, or has gone. */
  identityOf(client: AedesClient): Identity | null {
    return this.#connections.get(client)?.identity ?? null;
  }

  setHeld(connection: Connection, held: boolean): void {
    if (held) this.#held.add(connection);
    else this.#held.delete(connection);
  }

  /** aedes ends only those that have said CONNECT; the others would keep the listeners open. */
  close(): void {
    if (this.#keepAlive !== null) clearInterval(this.#keepAlive);
    for (const { conn, connected } of this.#connections.keys()) if (!connected) conn.destroy();
    this.#parts.admission.close();
  }

  #connected(connection: Connection): void {
    const { client } = connection;
    const { sessions, limits, stats, capture } = this.#parts;
    client.subscriptions = {};
    this.#parts.admission.connected(client.conn);
    // It may have gone while aedes was letting it in.
    if (client.closed) return;
    const session = sessions.open(client);
    const outbox = new Outbox(client, connection.output, session.backlog, limits, stats);
    session.attach(outbox);
    connection.outbox = outbox;
    connection.session = session;
    connection.origin = capture.origin(client.id);
    connection.publisher = new ConnectionPublisher(connection);
    connection.release();
  }

  #closed(connection: Connection): void {
    this.#connections.delete(connection.client);
    this.#parts.stats.connections = this.#connections.size;
    this.#held.delete(connection);
    const { session, outbox } = connection;
    if (session !== null && outbox !== null) this.#parts.sessions.detach(session, outbox);
    if (isTransferClient(connection.identity)) this.#parts.onTransferGone();
  }
}

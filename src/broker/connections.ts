import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Access } from './access/access.js';
import { isLocalAddress } from './access/address.js';
import { type AedesClient, letIn } from './aedes-internals.js';
import type { Capture } from './capture.js';
import { Connection, type ConnectionParts } from './connection.js';
import { Outbox, type OutboxLimits } from './delivery/outbox.js';
import { Output } from './delivery/output.js';
import { ConnectionPublisher } from './handlers/publish.js';
import type { Log } from './log.js';
import type { Session } from './session.js';
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
  /** A client has its identifier from now on, and has it no more. */
  readonly onNamed: (client: AedesClient) => void;
  readonly onGone: (client: AedesClient) => void;
  readonly onTransferGone: () => void;
}

const SESSION_TAKEN_OVER = 0x8e;
/** How often held connections are kept alive. */
const KEEP_ALIVE_EVERY_MS = 1000;

/** All connections, from the first byte to the last. */
export class Connections {
  readonly #parts: ConnectionsParts;
  readonly #connections = new Map<AedesClient, Connection>();
  /** Those that have a session, or are about to. */
  readonly #byClientId = new Map<string, Connection>();
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
    const address = (conn as Socket).remoteAddress;
    const peer = { address: address ?? null, local: isLocalAddress(address), certificate: null };
    const connection = new Connection(client, output, peer, this.#parts);
    this.#connections.set(client, connection);
    stats.connections = this.#connections.size;
    conn.once('close', () => this.#closed(connection));
    return client;
  }

  /** A client identifier belongs to the connection that came last: an earlier one is ended [MQTT-3.1.4-3]. */
  claim(connection: Connection): void {
    const { client } = connection;
    this.evict(client.id, SESSION_TAKEN_OVER);
    this.#byClientId.set(client.id, connection);
  }

  /** Ends a client's connection if there is one; its session is left at once. */
  evict(clientId: string, reasonCode: number): void {
    const connection = this.#byClientId.get(clientId);
    if (connection === undefined) return;
    this.#leave(connection);
    connection.client.disconnect({ reasonCode });
  }

  clientIds(): Iterable<string> {
    return this.#byClientId.keys();
  }

  /** It has been let in: what it sent already is handled, and what waits for it is sent. */
  connected(connection: Connection, session: Session): void {
    const { limits, stats, capture } = this.#parts;
    const { client } = connection;
    letIn(client);
    this.#parts.onNamed(client);
    const outbox = new Outbox(client, connection.output, session.backlog, limits, stats);
    connection.outbox = outbox;
    connection.origin = capture.origin(client.id);
    connection.publisher = new ConnectionPublisher(connection);
    session.attach(outbox);
    connection.release();
  }

  isTransferClient(client: AedesClient): boolean {
    const identity = this.#connections.get(client)?.identity;
    return !!identity && this.#parts.access.isTransferClient(identity);
  }

  setHeld(connection: Connection, held: boolean): void {
    if (held) this.#held.add(connection);
    else this.#held.delete(connection);
  }

  /** aedes ends only those that have been let in; the others would keep the listeners open. */
  close(): void {
    if (this.#keepAlive !== null) clearInterval(this.#keepAlive);
    for (const { conn, connected } of this.#connections.keys()) if (!connected) conn.destroy();
  }

  /** The client identifier and the session are free for another connection. */
  #leave(connection: Connection): void {
    if (connection.left) return;
    connection.left = true;
    const { client, session, identity } = connection;
    if (this.#byClientId.get(client.id) === connection) this.#byClientId.delete(client.id);
    if (session !== null) this.#parts.sessions.leave(session);
    this.#parts.onGone(client);
    if (identity !== null && this.#parts.access.isTransferClient(identity)) this.#parts.onTransferGone();
  }

  #closed(connection: Connection): void {
    this.#connections.delete(connection.client);
    this.#parts.stats.connections = this.#connections.size;
    this.#held.delete(connection);
    connection.keepAliveEvery(0);
    this.#leave(connection);
  }
}

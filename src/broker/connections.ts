import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Audit } from '../audit.js';
import { type Identity, isLocalAddress, isTransferClient } from './access.js';
import type { AedesClient } from './aedes-internals.js';
import type { Capture } from './capture.js';
import { Connection, type ConnectionParts } from './connection.js';
import { Outbox, type OutboxLimits } from './delivery/outbox.js';
import { Output } from './delivery/output.js';
import { ConnectionPublisher } from './handlers/publish.js';
import type { Log } from './log.js';
import type { Sessions } from './sessions.js';
import type { ClientStatus, StatusOf } from './sys/client-status.js';

/** What connections are made of, and whom they tell. */
export interface ConnectionsParts extends ConnectionParts {
  readonly limits: OutboxLimits & ConnectionParts['limits'] & { readonly connections: number };
  readonly capture: Capture;
  readonly sessions: Sessions;
  readonly log: Log;
  readonly audit: Audit;
  /** null: nobody is told who connects and disconnects. */
  readonly status: ClientStatus | null;
  readonly onTransferGone: () => void;
}

/** DISCONNECT: unspecified error. */
const UNSPECIFIED = 0x80;
/** How often held connections are kept alive. */
const KEEP_ALIVE_EVERY_MS = 1000;

/** All connections, from the first byte to the last. */
export class Connections {
  readonly #parts: ConnectionsParts;
  readonly #connections = new Map<AedesClient, Connection>();
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
    const { limits, turn, stats, log, audit } = this.#parts;
    const { remoteAddress } = conn as Socket;
    const identity: Identity = {
      user: null,
      address: remoteAddress ?? null,
      local: isLocalAddress(remoteAddress),
    };
    const full = this.#connections.size >= limits.connections;
    if (!wanted || full) {
      if (wanted) {
        log.warn({ most: limits.connections }, 'a connection was refused: there are too many');
        const { user, address } = identity;
        audit.record({ audit: 'refused', client: null, user, address, reason: 'too many connections' });
      }
      conn.destroy();
      return accept(conn);
    }
    const output = new Output(conn, turn, stats);
    const client = accept(conn);
    const connection = new Connection(client, output, identity, this.#parts);
    this.#connections.set(client, connection);
    stats.connections = this.#connections.size;
    stats.accepted++;
    client.once('connected', () => this.#connected(connection));
    conn.once('close', () => this.#closed(connection));
    return client;
  }

  identify(client: AedesClient, user: string | undefined): void {
    const connection = this.#connections.get(client);
    if (connection !== undefined) connection.identity = { ...connection.identity, user: user ?? null };
  }

  /** Something is wrong with it: it is about to end. */
  failed(client: AedesClient, { message }: Error): void {
    const connection = this.#connections.get(client);
    if (connection !== undefined) connection.end ??= { code: null, reason: message };
  }

  isTransferClient(client: AedesClient): boolean {
    const connection = this.#connections.get(client);
    return connection !== undefined && isTransferClient(connection.identity);
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
    const { sessions, limits, stats, capture, audit, status } = this.#parts;
    client.subscriptions = {};
    // It may have gone while aedes was letting it in.
    if (client.closed) return;
    const session = sessions.open(client);
    const outbox = new Outbox(client, connection.output, session.backlog, limits, stats);
    session.attach(outbox);
    connection.outbox = outbox;
    connection.session = session;
    connection.origin = capture.origin(client.id);
    connection.publisher = new ConnectionPublisher(connection);
    audit.record({
      audit: 'connected',
      ...connection.audited,
      version: client.version!,
      clean: client._cleanStart,
    });
    status?.online(statusOf(connection));
    connection.release();
  }

  #closed(connection: Connection): void {
    this.#connections.delete(connection.client);
    this.#parts.stats.connections = this.#connections.size;
    this.#held.delete(connection);
    const { session, outbox } = connection;
    this.#tellEnd(connection);
    if (session !== null && outbox !== null) this.#parts.sessions.detach(session, outbox);
    if (isTransferClient(connection.identity)) this.#parts.onTransferGone();
  }

  #tellEnd(connection: Connection): void {
    const { audited, client, end, session, outbox } = connection;
    const { audit, status, sessions } = this.#parts;
    if (session === null) {
      if (end !== null) audit.record({ audit: 'refused', ...audited, reason: end.reason });
      return;
    }
    const code = end?.code ?? client.disconnectReasonCode ?? UNSPECIFIED;
    const reason =
      end?.reason ??
      (client.disconnectReasonCode === null ? 'the connection was lost' : 'ended by the broker');
    audit.record({ audit: 'disconnected', ...audited, code, reason });
    // If another connection of the same client has taken over, the client is not offline.
    if ((sessions.get(client.id)?.outbox ?? outbox) === outbox) status?.offline(statusOf(connection), code);
  }
}

function statusOf({ client, identity, keepAliveSeconds }: Connection): StatusOf {
  return {
    clientId: client.id,
    user: identity.user,
    address: identity.address,
    version: client.version!,
    keepalive: keepAliveSeconds,
    cleanStart: client._cleanStart,
  };
}

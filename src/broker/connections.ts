import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { IConnectPacket } from 'mqtt-packet';
import { isLocalAddress } from '../addresses.js';
import type { Audit } from '../audit.js';
import type { Access, Identity } from './access/access.js';
import type { Admission } from './admission.js';
import { type AedesClient, letIn } from './aedes-internals.js';
import type { Capture } from './capture.js';
import { Connection, type ConnectionParts } from './connection.js';
import type { OutboxLimits } from './delivery/bounds.js';
import { Outbox } from './delivery/outbox.js';
import { Output } from './delivery/output.js';
import { ConnectionPublisher } from './handlers/publish.js';
import { dismiss } from './refusal.js';
import type { Session } from './session.js';
import type { Sessions } from './sessions.js';
import type { ClientStatus } from './sys/client-status.js';
import { peerCertificate } from './tls.js';

/** What connections are made of, and whom they tell. */
export interface ConnectionsParts extends ConnectionParts {
  readonly limits: OutboxLimits & ConnectionParts['limits'];
  readonly admission: Admission;
  readonly access: Access;
  readonly capture: Capture;
  readonly sessions: Sessions;
  readonly audit: Audit;
  /** null: nobody is told who connects and disconnects. */
  readonly status: ClientStatus | null;
  /** A client has its identifier from now on, and has it no more. */
  readonly onNamed: (client: AedesClient) => void;
  readonly onGone: (client: AedesClient) => void;
  readonly onTransferGone: () => void;
}

const UNSPECIFIED_ERROR = 0x80;
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
    const output = new Output(conn, turn, stats);
    const client = accept(conn);
    const { remoteAddress } = conn as Socket;
    const inside = this.#inside.has(conn);
    const peer = {
      address: remoteAddress ?? null,
      local: inside || isLocalAddress(remoteAddress),
      inside,
      certificate: peerCertificate(conn),
    };
    const connection = new Connection(client, output, peer, this.#parts);
    this.#connections.set(client, connection);
    stats.connections = this.#connections.size;
    stats.accepted++;
    conn.once('close', () => this.#closed(connection));
    return client;
  }

  /** A client identifier belongs to the connection that came last: an earlier one is ended [MQTT-3.1.4-3]. */
  claim(connection: Connection): void {
    const { client } = connection;
    this.evict(client.id, SESSION_TAKEN_OVER, 'the client connected again');
    this.#byClientId.set(client.id, connection);
  }

  /** Ends a client's connection if there is one; its session is left at once. */
  evict(clientId: string, reasonCode: number, reason: string): void {
    const connection = this.#byClientId.get(clientId);
    if (connection === undefined) return;
    this.#leave(connection);
    connection.ending ??= { code: reasonCode, reason };
    dismiss(connection.client, connection.output, reasonCode);
  }

  clientIds(): Iterable<string> {
    return this.#byClientId.keys();
  }

  /** It has been let in: what it sent already is handled, and what waits for it is sent. */
  connected(connection: Connection, session: Session, packet: IConnectPacket): void {
    const { access, limits, stats, capture, audit, status, sessions } = this.#parts;
    const { client } = connection;
    letIn(client);
    this.#parts.admission.connected(client.conn);
    this.#parts.onNamed(client);
    const mayReceive = (topic: string) => access.mayReceive(session.identity, topic);
    const outbox = new Outbox(
      client,
      connection.output,
      session.backlog,
      limits,
      stats,
      connection.topicAliasMaximum,
      mayReceive,
    );
    connection.outbox = outbox;
    connection.origin = capture.origin(client.id);
    connection.publisher = new ConnectionPublisher(connection);
    // It may have been somebody else's, and the rules others.
    sessions.review(session);
    session.attach(outbox);
    const { protocolVersion: version = 4, clean = true } = packet;
    audit.record({ audit: 'connected', ...connection.audited, version, clean });
    status?.online(connection.identity!, packet);
    connection.release();
  }

  /** Something is wrong with it: it is about to end. */
  failed(client: AedesClient, { message }: Error): void {
    const connection = this.#connections.get(client);
    if (connection !== undefined) connection.ending ??= { code: null, reason: message };
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

  /** aedes ends only those that have been let in; the others would keep the listeners open. */
  close(): void {
    if (this.#keepAlive !== null) clearInterval(this.#keepAlive);
    for (const { conn, connected } of this.#connections.keys()) if (!connected) conn.destroy();
    this.#parts.admission.close();
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
    this.#tellEnd(connection);
    this.#leave(connection);
  }

  #tellEnd({ audited, client, ending, identity, outbox, left }: Connection): void {
    const { audit, status } = this.#parts;
    if (outbox === null) {
      if (ending !== null) audit.record({ audit: 'refused', ...audited, reason: ending.reason });
      return;
    }
    const sent = client.disconnectReasonCode;
    const code = ending?.code ?? sent ?? UNSPECIFIED_ERROR;
    const reason = ending?.reason ?? (sent === null ? 'the connection was lost' : 'the broker ended it');
    audit.record({ audit: 'disconnected', ...audited, code, reason });
    // A client that has connected again is not offline.
    if (!left) status?.offline(identity!, code);
  }
}

import { randomUUID } from 'node:crypto';
import type { IConnackPacket, IConnectPacket } from 'mqtt-packet';
import { textOf } from '../../errors.js';
import { introduce } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import { expiryWithin, NEVER } from '../session.js';
import { willOf } from '../will.js';
import { accept, reject } from './connack.js';
import type { HandlerParts } from './parts.js';

const CLIENT_IDENTIFIER_NOT_VALID = 0x85;
const BAD_AUTHENTICATION_METHOD = 0x8c;
const SERVER_UNAVAILABLE = 0x88;
/** Most in-flight messages that a client takes if it does not say (MQTT 5 section 3.1.2.11.3). */
const ANY_NUMBER = 65_535;

/** CONNECT (MQTT 5 section 3.1): who it is, whether it may come in, and with which session. */
export async function handleConnect(
  parts: HandlerParts,
  connection: Connection,
  packet: IConnectPacket,
): Promise<void> {
  const { client } = connection;
  const { clientId, clean = true, properties = {} } = packet;
  const version = packet.protocolVersion as 3 | 4 | 5;
  const version5 = version === 5;
  introduce(client, {
    id: clientId || `auto-${randomUUID()}`,
    version,
    receiveMaximum: properties.receiveMaximum ?? ANY_NUMBER,
    maximumPacketSize: properties.maximumPacketSize,
    clean,
  });
  // MQTT 3.1 knows no empty identifier, 3.1.1 one only without a session that lasts [MQTT-3.1.3-8].
  if (clientId === '' && (version === 3 || (version === 4 && !clean))) {
    return refuse(parts, connection, packet, CLIENT_IDENTIFIER_NOT_VALID, 'it has no client identifier');
  }
  if (properties.authenticationMethod !== undefined) {
    return refuse(
      parts,
      connection,
      packet,
      BAD_AUTHENTICATION_METHOD,
      'no authentication method is known here',
    );
  }
  const { password } = packet;
  const verdict = await parts.access.authenticate({
    clientId: client.id,
    user: packet.username ?? null,
    password: password === undefined ? null : Buffer.from(password),
    ...connection.peer,
  });
  if (client.closed) return;
  if (!verdict.allowed) {
    parts.stats.refusedLogins++;
    return refuse(parts, connection, packet, verdict.reason, 'its credentials are not accepted');
  }
  const { address, local, inside } = connection.peer;
  connection.identity = { clientId: client.id, user: verdict.user, address, local, inside };

  parts.claim(connection);
  const { others } = parts;
  // Each instance has a transfer client of its own.
  if (others !== null && !parts.access.isTransferClient(connection.identity)) {
    const wanted = () => !client.closed && !connection.left;
    try {
      await parts.sessions.claim(client.id, others, wanted);
    } catch (error) {
      return refuse(parts, connection, packet, SERVER_UNAVAILABLE, textOf(error));
    }
    if (!wanted()) return;
  }
  const asked = version5 ? (properties.sessionExpiryInterval ?? 0) : clean ? 0 : NEVER;
  const expiryInterval = expiryWithin(asked, parts.limits.sessionExpiry);
  const { session, present } = parts.sessions.open(connection.identity, clean, expiryInterval);
  connection.session = session;
  connection.topicAliasMaximum = properties.topicAliasMaximum ?? 0;
  parts.wills.set(session, willOf(packet));
  await parts.sessions.ready(session);
  // Another connection of the client may have come meanwhile.
  if (client.closed || connection.left) return;

  const keepAlive = keepAliveOf(packet, Math.ceil(parts.limits.keepAlive / 1000));
  connection.keepAliveEvery(keepAlive);
  const connack: NonNullable<IConnackPacket['properties']> = {
    maximumPacketSize: parts.limits.packetBytes,
    receiveMaximum: parts.limits.receiveMaximum,
    topicAliasMaximum: parts.limits.topicAliasMaximum,
    ...(expiryInterval === asked ? {} : { sessionExpiryInterval: expiryInterval }),
    ...(clientId === '' ? { assignedClientIdentifier: client.id } : {}),
    ...(keepAlive === packet.keepalive ? {} : { serverKeepAlive: keepAlive }),
  };
  accept(connection, present, connack);
  if (client.closed) return;
  if (verdict.until !== undefined) connection.validUntil(verdict.until);
  parts.connected(connection, session, packet);
}

function refuse(
  { audit }: HandlerParts,
  connection: Connection,
  { username: user = null }: { username?: string | null },
  code: number,
  reason: string,
): void {
  audit.record({ audit: 'refused', ...connection.audited, user, reason });
  reject(connection, code);
}

/** Seconds; what the server says counts [MQTT-3.1.2-21], and MQTT 3 cannot be told. */
function keepAliveOf({ protocolVersion, keepalive = 0 }: IConnectPacket, most: number): number {
  if (most === 0 || protocolVersion !== 5) return keepalive;
  return keepalive === 0 ? most : Math.min(keepalive, most);
}

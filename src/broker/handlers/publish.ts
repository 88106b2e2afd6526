import { isRequestTopic, NOT_AUTHORIZED } from '../access/access.js';
import type { Connection } from '../connection.js';
import { whenOneIsRelieved } from '../delivery/congestion.js';
import type { Message } from '../delivery/message.js';
import type { Route } from '../delivery/router.js';
import type { PacketFault } from '../packet-fault.js';
import { NOBODY, type Publisher } from '../pipeline.js';
import type { Session, Told } from '../session.js';
import type { HandlerParts } from './parts.js';
import { mayAsk, slowDown } from './rates.js';

const PUBACK = 0x40;
const PUBREC = 0x50;
const QUOTA_EXCEEDED = 0x97;
const RECEIVE_MAXIMUM_EXCEEDED: PacketFault = {
  text: 'more messages are unacknowledged than the Receive Maximum allows [MQTT-3.3.4-7]',
  reason: 0x93,
};

/** PUBLISH (MQTT 5 section 3.3). */
export function handlePublish(parts: HandlerParts, connection: Connection, message: Message): void {
  parts.stats.received++;
  parts.stats.bytesReceived += message.payloadBytes;
  if (message.qos > 0 && isTooMuch(connection, message, parts.limits.receiveMaximum)) {
    parts.stats.receiveMaximumDisconnects++;
    connection.refuse(RECEIVE_MAXIMUM_EXCEEDED);
    return;
  }
  if (parts.limits.messagesPerSecond > 0) slowDown(parts, connection);
  if (message.qos === 2 && isRepetition(connection, message.id)) return;
  const { properties } = message;
  if (properties !== undefined && parts.hasReturned(properties)) {
    parts.stats.returned++;
    acknowledge(connection, message, 0, null);
    return;
  }
  const { access } = parts;
  const asks = message.known.own || access.restrictsPublish;
  if (asks && !access.mayPublish(connection.identity!, message.topic)) deny(parts, connection, message);
  else if (message.known.own) handleOwn(parts, connection, message);
  else parts.pipeline.publish(message, connection.origin!, connection.publisher!);
}

/** What a connection does about what becomes of its messages. */
export class ConnectionPublisher implements Publisher {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  held(): void {
    this.#connection.hold();
  }

  released(): void {
    this.#connection.release();
  }

  published(message: Message, reason: number, safe: Promise<void> | null): void {
    acknowledge(this.#connection, message, reason, safe);
  }

  /** Not read until one of them has less to do: a publisher that all lag behind is slowed down, by TCP. */
  congested(route: Route): void {
    this.#connection.hold();
    whenOneIsRelieved(route, () => this.#connection.release());
  }
}

/** MQTT 3 has no way to say it: the message is acknowledged and goes nowhere, as with other brokers. */
function deny(parts: HandlerParts, connection: Connection, message: Message): void {
  const { topic } = message;
  parts.stats.refused++;
  parts.audit.record({ audit: 'publish-denied', ...connection.audited, topic, code: NOT_AUTHORIZED });
  acknowledge(connection, message, NOT_AUTHORIZED, null);
}

/** A request, or a chunk of the transfer client. */
function handleOwn(parts: HandlerParts, connection: Connection, message: Message): void {
  const identity = connection.identity!;
  const { topic } = message;
  if (isRequestTopic(topic)) {
    acknowledge(connection, message, 0, null);
    parts.onRequest(parts.packetOf(message), identity, mayAsk(parts, connection));
  } else {
    if (parts.access.isTransferClient(identity)) parts.onTransferPublish(parts.packetOf(message));
    parts.pipeline.publish(message, connection.origin!, {
      ...NOBODY,
      // A receiver slower than the sender slows it down: chunks are acknowledged as the receivers take them.
      published: (_message, _reason, safe) =>
        parts.pipeline.whenTaken(topic, () => acknowledge(connection, message, 0, safe)),
    });
  }
}

/**
 * Whether the client has more unacknowledged than it may. MQTT 3 knows no such bound; there it is for what we have to
 * remember, the open exchanges of QoS 2.
 */
function isTooMuch(connection: Connection, { qos, id }: Message, most: number): boolean {
  const version5 = connection.client.version === 5;
  const { received } = connection.session!;
  const full = received.size + (version5 ? connection.unacknowledged : 0) >= most;
  if (qos === 2) return full && !received.has(id);
  if (full && version5) return true;
  connection.unacknowledged++;
  return false;
}

/**
 * Whether a message of QoS 2 was sent before: then it has its key already [MQTT-4.3.3-10]. If it still waits for
 * room, it was sent on an earlier connection, and is acknowledged on this one when it is captured.
 */
function isRepetition(connection: Connection, id: number): boolean {
  const { received } = connection.session!;
  const waiting = received.get(id);
  if (waiting === undefined) {
    received.set(id, connection);
    return false;
  }
  if (waiting === null || waiting instanceof Promise)
    answerReceived(connection, connection.session!, id, waiting);
  // Packets of a connection that is gone may still be handled.
  else if (!connection.client.closed) received.set(id, connection);
  return true;
}

/**
 * PUBACK or PUBREC; a code of 0x80 or more ends a QoS 2 exchange [MQTT-4.3.3-9], and PUBREC says no other. MQTT 3 has no
 * codes.
 */
function acknowledge(
  connection: Connection,
  { qos, id }: Message,
  code: number,
  safe: Promise<void> | null,
): void {
  if (qos === 0) return;
  if (qos === 1) {
    connection.unacknowledged--;
    const version5 = connection.client.version === 5;
    connection.answers.acknowledge(PUBACK, id, version5 ? code : 0, safe, version5 ? quotaExceeded : null);
    return;
  }
  const session = connection.session!;
  const waiting = session.received.get(id);
  const told = waiting == null || waiting instanceof Promise ? connection : waiting;
  if (code >= 0x80 && told.client.version === 5) {
    session.received.delete(id);
    told.answers.acknowledge(PUBREC, id, code, safe);
  } else {
    answerReceived(told, session, id, session.receive(id, safe));
  }
}

/** PUBREC for what was received. MQTT 5 can say that it is not kept after all, which ends the exchange [MQTT-4.3.3-9]. */
function answerReceived(told: Told, session: Session, id: number, safe: Promise<void> | null): void {
  const unkept = () => {
    session.release(id);
    return QUOTA_EXCEEDED;
  };
  told.answers.acknowledge(PUBREC, id, 0, safe, told.client.version === 5 ? unkept : null);
}

function quotaExceeded(): number {
  return QUOTA_EXCEEDED;
}

import { isRequestTopic, NOT_AUTHORIZED } from '../access/access.js';
import type { Connection } from '../connection.js';
import { whenOneIsRelieved } from '../delivery/congestion.js';
import type { Message } from '../delivery/message.js';
import type { Route } from '../delivery/router.js';
import { type PacketFault, RECEIVE_MAXIMUM_EXCEEDED } from '../packet-fault.js';
import { NOBODY, type Publisher } from '../pipeline.js';
import type { HandlerParts } from './parts.js';

const PUBACK = 0x40;
const PUBREC = 0x50;
const NO_MATCHING_SUBSCRIBERS = 0x10;
const QUOTA_EXCEEDED = 0x97;

const TOO_MANY: PacketFault = {
  text: 'more messages of QoS 2 are in flight than the Receive Maximum [MQTT-3.3.4-7]',
  reason: RECEIVE_MAXIMUM_EXCEEDED,
};

/** PUBLISH (MQTT 5 section 3.3). */
export function handlePublish(parts: HandlerParts, connection: Connection, message: Message): void {
  parts.stats.received++;
  parts.stats.bytesReceived += message.payloadBytes;
  if (message.qos === 2 && isRepetition(parts, connection, message.id)) return;
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

  published(message: Message, refused: boolean, safe: Promise<void> | null, wanted: boolean): void {
    acknowledge(
      this.#connection,
      message,
      refused ? QUOTA_EXCEEDED : wanted ? 0 : NO_MATCHING_SUBSCRIBERS,
      safe,
    );
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
    parts.onRequest(parts.packetOf(message), identity);
  } else {
    if (parts.access.isTransferClient(identity)) parts.onTransferPublish(parts.packetOf(message));
    parts.pipeline.publish(message, connection.origin!, {
      ...NOBODY,
      // A receiver slower than the sender slows it down: chunks are acknowledged as the receivers take them.
      published: (_message, _refused, safe) =>
        parts.pipeline.whenTaken(topic, () => acknowledge(connection, message, 0, safe)),
    });
  }
}

/**
 * Whether a message of QoS 2 goes no further: it was sent before, and has its key already [MQTT-4.3.3-10], or it is one
 * too many [MQTT-3.3.4-7]. If it still waits for room, it was sent on an earlier connection, and is acknowledged on this
 * one when it is captured.
 */
function isRepetition({ limits }: HandlerParts, connection: Connection, id: number): boolean {
  const { received } = connection.session!;
  const waiting = received.get(id);
  if (waiting === undefined) {
    if (connection.client.version === 5 && received.size >= limits.receiveMaximum) {
      connection.refuse(TOO_MANY);
      return true;
    }
    received.set(id, connection);
    return false;
  }
  if (waiting === null) connection.answer(PUBREC, id, 0, null);
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
    connection.answer(PUBACK, id, connection.client.version === 5 ? code : 0, safe);
    return;
  }
  const session = connection.session!;
  const told = session.received.get(id) ?? connection;
  if (code >= 0x80 && told.client.version === 5) {
    session.received.delete(id);
    told.answer(PUBREC, id, code, safe);
  } else {
    told.answer(PUBREC, id, 0, session.receive(id) ?? safe);
  }
}

import { isRequestTopic, isTransferClient, mayPublish } from '../access.js';
import type { Connection } from '../connection.js';
import { whenOneIsRelieved } from '../delivery/congestion.js';
import type { Message } from '../delivery/message.js';
import type { Route } from '../delivery/router.js';
import { NOBODY, type Publisher } from '../pipeline.js';
import type { HandlerParts } from './parts.js';

const PUBACK = 0x40;
const PUBREC = 0x50;
const NOT_AUTHORIZED = 0x87;
const QUOTA_EXCEEDED = 0x97;

/** PUBLISH (MQTT 5 section 3.3). */
export function handlePublish(parts: HandlerParts, connection: Connection, message: Message): void {
  if (message.qos === 2 && isRepetition(connection, message.id)) return;
  const { properties } = message;
  if (properties !== undefined && parts.hasReturned(properties)) {
    parts.stats.returned++;
    acknowledge(connection, message, 0);
  } else if (message.known.own) handleOwn(parts, connection, message);
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

  published(message: Message, refused: boolean, error: Error | null): void {
    if (error === null) acknowledge(this.#connection, message, refused ? QUOTA_EXCEEDED : 0);
    else this.#connection.client.emit('error', error);
  }

  /** Not read until one of them has less to do: a publisher that all lag behind is slowed down, by TCP. */
  congested(route: Route): void {
    this.#connection.hold();
    whenOneIsRelieved(route, () => this.#connection.release());
  }
}

/** A request, a chunk of the transfer client, or a topic that is not for clients. */
function handleOwn(parts: HandlerParts, connection: Connection, message: Message): void {
  const { client, identity } = connection;
  const { topic } = message;
  if (isRequestTopic(topic)) {
    acknowledge(connection, message, 0);
    parts.onRequest(parts.packetOf(message), client.id);
  } else if (!mayPublish(identity, topic)) {
    parts.stats.refused++;
    parts.log.info({ client: client.id, topic }, 'a publish to a reserved topic was refused');
    acknowledge(connection, message, NOT_AUTHORIZED);
  } else {
    if (isTransferClient(identity)) parts.onTransferPublish(parts.packetOf(message));
    parts.pipeline.publish(message, connection.origin!, {
      ...NOBODY,
      // A receiver slower than the sender slows it down: chunks are acknowledged as the receivers take them.
      published: () => parts.pipeline.whenTaken(topic, () => acknowledge(connection, message, 0)),
    });
  }
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
  if (waiting === null) connection.output.acknowledge(PUBREC, id, 0);
  // Packets of a connection that is gone may still be handled.
  else if (!connection.client.closed) received.set(id, connection);
  return true;
}

/** PUBACK or PUBREC; a code of 0x80 or more ends a QoS 2 exchange [MQTT-4.3.3-9]. MQTT 3 has no codes. */
function acknowledge(connection: Connection, { qos, id }: Message, code: number): void {
  if (qos === 0) return;
  if (qos === 1) {
    connection.output.acknowledge(PUBACK, id, connection.client.version === 5 ? code : 0);
    return;
  }
  const { received } = connection.session!;
  const { client, output } = received.get(id) ?? connection;
  const version5 = client.version === 5;
  if (code >= 0x80 && version5) received.delete(id);
  else received.set(id, null);
  output.acknowledge(PUBREC, id, version5 ? code : 0);
}

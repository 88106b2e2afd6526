import { isOwnTopic } from '../../topics.js';
import { isRequestTopic, isTransferClient, mayPublish } from '../access.js';
import type { PublishPacket } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import { writeAck } from '../packet-writer.js';
import type { HandlerParts } from './handlers.js';

const NOT_AUTHORIZED = 0x87;
const QUOTA_EXCEEDED = 0x97;

/** PUBLISH (MQTT 5 section 3.3). False while it waits for room in a ring. */
export function handlePublish(parts: HandlerParts, connection: Connection, packet: PublishPacket): boolean {
  if (packet.qos === 2 && isRepetition(connection, packet.messageId!)) return true;
  if (isRequestTopic(packet.topic)) {
    acknowledge(connection, packet, 0);
    parts.onRequest(packet, connection.client.id);
    return true;
  }
  if (!mayPublish(connection.identity, packet.topic)) {
    parts.stats.refused++;
    const { id } = connection.client;
    parts.log.info({ client: id, topic: packet.topic }, 'a publish to a reserved topic was refused');
    acknowledge(connection, packet, NOT_AUTHORIZED);
    return true;
  }
  if (isOwnTopic(packet.topic) && isTransferClient(connection.identity)) {
    parts.onTransferPublish(packet);
    parts.pipeline.publish(packet, connection.origin!, () =>
      // A receiver slower than the sender slows it down: chunks are acknowledged as the receivers take them.
      parts.pipeline.whenTaken(packet.topic, () => acknowledge(connection, packet, 0)),
    );
    return true;
  }
  let done = false;
  let held = false;
  const routed = parts.pipeline.publish(packet, connection.origin!, (error, refused) => {
    done = true;
    if (error === null) acknowledge(connection, packet, refused ? QUOTA_EXCEEDED : 0);
    else connection.client.emit('error', error);
    if (held) {
      parts.heldConnections.delete(connection);
      connection.release();
    }
  });
  // It may have been done meanwhile, in a call of `Capture.wait` that found room after all.
  if (routed || done) return true;
  held = true;
  parts.heldConnections.add(connection);
  connection.hold();
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
  if (waiting === null) writeAck(connection.client, 'pubrec', id, 0);
  // Packets of a connection that is gone may still be handled.
  else if (!connection.client.closed) received.set(id, connection);
  return true;
}

/** PUBACK or PUBREC; a code of 0x80 or more ends a QoS 2 exchange [MQTT-4.3.3-9]. */
function acknowledge(connection: Connection, packet: PublishPacket, code: number): void {
  if (packet.qos === 0) return;
  const id = packet.messageId!;
  if (packet.qos === 1) {
    writeAck(connection.client, 'puback', id, code);
    return;
  }
  const { received } = connection.session!;
  const { client } = received.get(id) ?? connection;
  if (code >= 0x80 && client.version === 5) received.delete(id);
  else received.set(id, null);
  writeAck(client, 'pubrec', id, code);
}

import { topicFault } from '../../topics.js';
import { isTransferClient, mayPublish } from '../access.js';
import type { PublishPacket } from '../aedes-internals.js';
import type { Connection } from '../connection.js';
import { writeAck } from './acks.js';
import type { HandlerParts } from './handlers.js';

const NOT_AUTHORIZED = 0x87;
const TOPIC_NAME_INVALID = 0x90;
const TOPIC_ALIAS_INVALID = 0x94;
const QUOTA_EXCEEDED = 0x97;

/** PUBLISH (MQTT 5 section 3.3). False while it waits for room in a ring. */
export function handlePublish(parts: HandlerParts, connection: Connection, packet: PublishPacket): boolean {
  const { client } = connection;
  if (client.version === 5 && packet.properties?.topicAlias !== undefined) {
    // We advertise no Topic Alias Maximum, so every alias is invalid [MQTT-3.3.2-9].
    client.disconnect({ reasonCode: TOPIC_ALIAS_INVALID });
    return true;
  }
  const fault = topicFault(packet.topic) ?? levelsFault(packet.topic, parts.limits.topicLevels);
  if (fault !== null) {
    parts.log.info({ client: client.id, fault }, 'a publish was refused');
    if (client.version === 5) client.disconnect({ reasonCode: TOPIC_NAME_INVALID });
    else client.emit('error', new Error(fault));
    return true;
  }
  if (packet.qos === 2) {
    const received = connection.session!.received;
    if (received.has(packet.messageId!)) {
      // A repetition: the message has its key already [MQTT-4.3.3-10].
      writeAck(client, 'pubrec', packet.messageId!, 0);
      return true;
    }
    received.add(packet.messageId!);
  }
  if (packet.topic.startsWith('$STREAM/')) {
    acknowledge(connection, packet, 0);
    parts.onRequest(packet, client.id);
    return true;
  }
  if (!mayPublish(connection.identity, packet.topic)) {
    parts.stats.refused++;
    parts.log.info({ client: client.id, topic: packet.topic }, 'a publish to a reserved topic was refused');
    acknowledge(connection, packet, NOT_AUTHORIZED);
    return true;
  }
  if (isTransferClient(connection.identity)) {
    parts.onTransferPublish(packet);
    parts.pipeline.publish(packet, connection.origin!, () =>
      // A receiver slower than the sender slows it down: chunks are acknowledged as the receivers take them.
      parts.pipeline.whenTaken(packet.topic, () => acknowledge(connection, packet, 0)),
    );
    return true;
  }
  let waiting = false;
  const routed = parts.pipeline.publish(packet, connection.origin!, (error, refused) => {
    if (error === null) acknowledge(connection, packet, refused ? QUOTA_EXCEEDED : 0);
    else client.emit('error', error);
    if (waiting) {
      parts.heldConnections.delete(connection);
      connection.release();
    }
  });
  if (!routed) {
    waiting = true;
    parts.heldConnections.add(connection);
    connection.hold();
  }
  return routed;
}

/** PUBACK or PUBREC; a code of 0x80 or more ends a QoS 2 exchange [MQTT-4.3.3-9]. */
function acknowledge(connection: Connection, packet: PublishPacket, code: number): void {
  if (packet.qos === 0) return;
  const { client } = connection;
  if (packet.qos === 1) {
    writeAck(client, 'puback', packet.messageId!, code);
    return;
  }
  if (code >= 0x80 && client.version === 5) connection.session!.received.delete(packet.messageId!);
  writeAck(client, 'pubrec', packet.messageId!, code);
}

function levelsFault(topic: string, most: number): string | null {
  let levels = 1;
  for (let at = topic.indexOf('/'); at !== -1; at = topic.indexOf('/', at + 1)) levels++;
  return levels > most ? `the topic has more than ${most} levels` : null;
}

import type { PublishPacket } from '../aedes-internals.js';
import type { Delivery } from '../delivery/backlog.js';
import { Message } from '../delivery/message.js';
import type { TopicTable } from '../delivery/topic-table.js';
import { variantOf } from '../delivery/variant.js';

/** A delivery's message as it is kept: with the QoS, flag and identifiers that it goes to its session with. */
export function queuedPacket({ key, message, variant }: Delivery): PublishPacket {
  const { topic, payload, properties, clientId, expiry } = message!;
  const { identifiers, qos, retain } = variant;
  const packet: PublishPacket = {
    cmd: 'publish',
    topic,
    payload,
    qos,
    retain,
    dup: false,
    brokerCounter: key,
    ...(clientId === null ? {} : { clientId }),
    ...(expiry === undefined ? {} : { messageExpiry: expiry }),
  };
  if (properties !== undefined || identifiers !== null) {
    packet.properties = {
      ...properties,
      ...(identifiers === null ? {} : { subscriptionIdentifier: [...identifiers] }),
    };
  }
  return packet;
}

export function queuedDelivery(
  packet: PublishPacket & { brokerCounter: number },
  topics: TopicTable,
): Delivery {
  const { subscriptionIdentifier, ...properties } = packet.properties ?? {};
  const whole = { ...packet };
  if (Object.keys(properties).length > 0) whole.properties = properties;
  else delete whole.properties;
  const message = Message.of(topics.named(packet.topic), whole, Date.now());
  message.clientId = packet.clientId ?? null;
  message.key = packet.brokerCounter;
  const identifiers = (subscriptionIdentifier as number[] | undefined) ?? null;
  const { qos, retain, messageId = 0 } = packet;
  const variant = variantOf(false, qos, retain, identifiers);
  return {
    key: packet.brokerCounter,
    message,
    variant,
    sharing: null,
    kept: true,
    id: messageId,
    sent: messageId > 0,
  };
}

/** The client has the message; only its identifier is left. */
export function releasedDelivery(id: number): Delivery {
  return {
    key: 0,
    message: null,
    variant: variantOf(false, 2, false, null),
    sharing: null,
    kept: true,
    id,
    sent: true,
  };
}

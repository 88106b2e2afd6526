import type { ISubscribePacket, ISubscription } from 'mqtt-packet';
import { NOT_AUTHORIZED } from '../access/access.js';
import type { Connection } from '../connection.js';
import type { Message } from '../delivery/message.js';
import type { Subscription } from '../delivery/subscription.js';
import { writePacket } from '../packet-writer.js';
import type { Session } from '../session.js';
import type { HandlerParts } from './parts.js';

const TOPIC_FILTER_INVALID = 0x8f;
const SHARED_NOT_SUPPORTED = 0x9e;
/** SUBACK of MQTT 3: failure. */
const FAILURE = 0x80;

/** SUBSCRIBE (MQTT 5 section 3.8). Only what is granted is kept. */
export function handleSubscribe(parts: HandlerParts, connection: Connection, packet: ISubscribePacket): void {
  const session = connection.session!;
  const granted: number[] = [];
  const added: { subscription: Subscription; isNew: boolean }[] = [];
  for (const asked of packet.subscriptions) {
    const refusal = refusalOf(parts, connection, asked);
    if (refusal !== null) {
      granted.push(refusal);
      const { topic } = asked;
      parts.audit.record({ audit: 'subscribe-denied', ...connection.audited, topic, code: refusal });
      continue;
    }
    granted.push(asked.qos);
    const subscription: Subscription = {
      filter: asked.topic,
      qos: asked.qos,
      noLocal: asked.nl === true,
      retainAsPublished: asked.rap === true,
      retainHandling: asked.rh ?? 0,
      identifier: packet.properties?.subscriptionIdentifier,
    };
    added.push({ subscription, isNew: !session.subscriptions.has(asked.topic) });
    parts.sessions.subscribe(session, subscription);
  }
  connection.whenSafe(parts.sessions.written(session), () => {
    writePacket(connection, { cmd: 'suback', messageId: packet.messageId!, granted });
    for (const { subscription, isNew } of added) sendRetained(parts, session, subscription, isNew);
  });
  if (parts.access.isTransferClient(connection.identity!)) parts.onTransferReady();
}

function refusalOf(
  { access, limits }: HandlerParts,
  { client, identity }: Connection,
  { topic }: ISubscription,
): number | null {
  const version5 = client.version === 5;
  if (topic.startsWith('$share/')) return version5 ? SHARED_NOT_SUPPORTED : FAILURE;
  if (topic.split('/').length > limits.topicLevels) return version5 ? TOPIC_FILTER_INVALID : FAILURE;
  if (!access.maySubscribe(identity!, topic)) return version5 ? NOT_AUTHORIZED : FAILURE;
  return null;
}

/** Retained messages for a new subscription, with the retain flag [MQTT-3.3.1-8], as its Retain Handling says. */
function sendRetained(
  { retained, keys, sysValues }: HandlerParts,
  session: Session,
  { retainHandling, filter, qos, identifier }: Subscription,
  isNew: boolean,
): void {
  if (retainHandling === 2 || (retainHandling === 1 && !isNew)) return;
  const identifiers = identifier === undefined ? null : [identifier];
  const send = (message: Message, key: number) =>
    session.deliver(message, Math.min(message.qos, qos) as 0 | 1 | 2, true, identifiers, key);
  for (const message of retained.matching(filter, Date.now())) {
    // Its place among what is kept is that of now, not that of its own key.
    send(message, qos > 0 && session.lasting ? keys.give() : 0);
  }
  for (const message of sysValues.matching(filter)) send(message, 0);
}

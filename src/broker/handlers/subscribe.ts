import type { ISubscribePacket, ISubscription } from 'mqtt-packet';
import { lengthFault, levelsFault, sharedFilter, subscribedFault } from '../../topics.js';
import { NOT_AUTHORIZED } from '../access/access.js';
import type { Connection } from '../connection.js';
import type { Message } from '../delivery/message.js';
import type { Subscription } from '../delivery/subscription.js';
import { type PacketFault, PROTOCOL_ERROR } from '../packet-fault.js';
import { writePacket } from '../packet-writer.js';
import type { Session } from '../session.js';
import type { HandlerParts } from './parts.js';

const TOPIC_FILTER_INVALID = 0x8f;
const QUOTA_EXCEEDED = 0x97;
const NO_LOCAL_SHARED: PacketFault = {
  text: 'a shared subscription is not no-local [MQTT-3.8.3-4]',
  reason: PROTOCOL_ERROR,
};
/** SUBACK of MQTT 3: failure. */
const FAILURE = 0x80;

/** SUBSCRIBE (MQTT 5 section 3.8). Only what is granted is kept. */
export function handleSubscribe(parts: HandlerParts, connection: Connection, packet: ISubscribePacket): void {
  const session = connection.session!;
  if (packet.subscriptions.some(({ topic, nl }) => nl === true && sharedFilter(topic) !== null)) {
    connection.refuse(NO_LOCAL_SHARED);
    return;
  }
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
  { access, limits, stats }: HandlerParts,
  { client, identity, session }: Connection,
  { topic }: ISubscription,
): number | null {
  const version5 = client.version === 5;
  const filter = sharedFilter(topic)?.filter ?? topic;
  const fault =
    subscribedFault(topic) ??
    levelsFault(filter, limits.topicLevels) ??
    lengthFault(topic, limits.topicBytes);
  if (fault !== null) return version5 ? TOPIC_FILTER_INVALID : FAILURE;
  if (!access.maySubscribe(identity!, topic)) return version5 ? NOT_AUTHORIZED : FAILURE;
  const { subscriptions } = session!;
  if (subscriptions.size < limits.subscriptionsPerClient || subscriptions.has(topic)) return null;
  stats.subscriptionsRefused++;
  return version5 ? QUOTA_EXCEEDED : FAILURE;
}

/** Retained messages for a new subscription, with the retain flag [MQTT-3.3.1-8], as its Retain Handling says. */
function sendRetained(
  { retained, keys, sysValues }: HandlerParts,
  session: Session,
  { retainHandling, filter, qos, noLocal, identifier }: Subscription,
  isNew: boolean,
): void {
  // A shared one gets none (MQTT 5 section 4.8.2).
  if (sharedFilter(filter) !== null) return;
  if (retainHandling === 2 || (retainHandling === 1 && !isNew)) return;
  const identifiers = identifier === undefined ? null : [identifier];
  const send = (message: Message, key: number) =>
    session.deliver(message, Math.min(message.qos, qos) as 0 | 1 | 2, true, identifiers, key > 0, key);
  for (const message of retained.matching(filter, Date.now())) {
    if (noLocal && message.clientId === session.clientId) continue;
    // Its place among what is kept is that of now, not that of its own key.
    send(message, qos > 0 && session.lasting ? keys.give() : 0);
  }
  for (const message of sysValues.matching(filter)) send(message, 0);
}

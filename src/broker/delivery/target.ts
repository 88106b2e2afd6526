import type { Session } from '../session.js';
import type { Subscription } from './subscription.js';

/** A session that a message goes to, once, however many of its subscriptions match [MQTT-3.3.4-2]. */
export interface Target {
  readonly session: Session;
  /** The highest granted QoS of the matching subscriptions [MQTT-3.3.4-2]. */
  readonly qos: 0 | 1 | 2;
  /** All matching subscriptions are no-local. */
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** Identifiers of all matching subscriptions that have one [MQTT-3.3.4-4]; null if none has. */
  readonly identifiers: readonly number[] | null;
}

export function targetOf(session: Session, subscription: Subscription): Target {
  const { qos, noLocal, retainAsPublished, identifier } = subscription;
  return {
    session,
    qos,
    noLocal,
    retainAsPublished,
    identifiers: identifier === undefined ? null : [identifier],
  };
}

export function mergeTarget(
  known: Target,
  { qos, noLocal, retainAsPublished, identifier }: Subscription,
): Target {
  return {
    session: known.session,
    qos: qos > known.qos ? qos : known.qos,
    noLocal: known.noLocal && noLocal,
    retainAsPublished: known.retainAsPublished || retainAsPublished,
    identifiers: identifier === undefined ? known.identifiers : [...(known.identifiers ?? []), identifier],
  };
}

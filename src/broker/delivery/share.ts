import type { Session } from '../session.js';
import type { Sharing } from './backlog.js';
import type { Message } from './message.js';
import type { Target } from './target.js';
import { type Variant, variantOf } from './variant.js';

/** How a shared subscription chooses: one after the other, or the same one for the same publisher. */
export type ShareStrategy = 'round-robin' | 'sticky';

/**
 * A shared subscription (MQTT 5 section 4.8.2): of its members one gets a message. In this order: one that is
 * connected and has nothing waiting, one that is connected and has room, one that is away and keeps it.
 */
export class Share implements Sharing {
  readonly #sticky: boolean;
  #members: readonly Target[] = [];
  #next = 0;
  /** Who got the last message. */
  last: Target | null = null;

  constructor(strategy: ShareStrategy) {
    this.#sticky = strategy === 'sticky';
  }

  /** Another array when they change. */
  get members(): readonly Target[] {
    return this.#members;
  }

  /** False: it was one already, and has this subscription now. */
  add(target: Target): boolean {
    const at = this.#at(target.session);
    this.#members = at === -1 ? [...this.#members, target] : this.#members.with(at, target);
    return at === -1;
  }

  /** False: it was none. */
  remove(session: Session): boolean {
    const at = this.#at(session);
    if (at === -1) return false;
    this.#members = this.#members.toSpliced(at, 1);
    if (this.#next > at) this.#next--;
    if (this.last?.session === session) this.last = null;
    return true;
  }

  /**
   * Who has the message now; null: nobody can take it. `key`: its place among what a session keeps; 0: it is not kept,
   * and goes to nobody who is away.
   */
  deliver(message: Message, key: number): Target | null {
    this.last = this.#connected(message, key) ?? (key > 0 ? this.#away(message, key) : null);
    return this.last;
  }

  offer(message: Message, key: number): boolean {
    return this.#connected(message, key) !== null;
  }

  passOn(message: Message, key: number): boolean {
    return this.deliver(message, key) !== null;
  }

  #connected(message: Message, key: number): Target | null {
    const members = this.#members;
    const { length } = members;
    const first = this.#first(message.clientId);
    let chosen = -1;
    let as: Variant | null = null;
    for (let i = 0; i < length; i++) {
      const at = (first + i) % length;
      const { outbox } = members[at].session;
      if (outbox === null || (as !== null && outbox.busy)) continue;
      const variant = variantFor(members[at], message, outbox.version5);
      if (!outbox.accepts(message, variant)) continue;
      chosen = at;
      as = variant;
      // What is sticky keeps the order of a publisher's messages: it does not move because of load.
      if (this.#sticky || !outbox.busy) break;
    }
    if (as === null) return null;
    this.#next = chosen + 1;
    const target = members[chosen];
    const { lasting, outbox } = target.session;
    if (key > 0 && as.qos > 0) outbox!.deliverShared(message, as, lasting ? key : 0, this);
    else outbox!.deliver(message, as, 0);
    return target;
  }

  #away(message: Message, key: number): Target | null {
    const members = this.#members;
    const { length } = members;
    const first = this.#first(message.clientId);
    let chosen = -1;
    for (let i = 0; i < length; i++) {
      const at = (first + i) % length;
      const { qos, session } = members[at];
      if (message.qos === 0 || qos === 0 || !session.away) continue;
      if (chosen === -1) chosen = at;
      if (!session.backlog.hasRoom(message)) continue;
      chosen = at;
      break;
    }
    if (chosen === -1) return null;
    this.#next = chosen + 1;
    const target = members[chosen];
    const variant = variantFor(target, message, false);
    target.session.backlog.keepIfRoom({
      key,
      message,
      variant,
      sharing: this,
      kept: true,
      id: 0,
      sent: false,
    });
    return target;
  }

  /** Where to begin looking. */
  #first(publisher: string | null): number {
    const { length } = this.#members;
    if (length < 2) return 0;
    return (this.#sticky ? hashOf(publisher ?? '') : this.#next) % length;
  }

  #at(session: Session): number {
    return this.#members.findIndex((member) => member.session === session);
  }
}

function variantFor(
  { qos, retainAsPublished, identifiers }: Target,
  message: Message,
  version5: boolean,
): Variant {
  const least = message.qos < qos ? message.qos : qos;
  return variantOf(version5, least, message.retain && retainAsPublished, identifiers);
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

import { topicMatcher } from '../../topics.js';
import type { InProcessDeliver } from '../aedes-internals.js';
import type { Session } from '../session.js';
import type { Topic } from './topic.js';

/** One subscription of a session, MQTT 5 section 3.8.3.1. */
export interface Subscription {
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: number;
  readonly identifier: number | undefined;
}

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

export interface Route {
  readonly targets: readonly Target[];
  readonly functions: readonly InProcessDeliver[];
}

interface Node {
  readonly children: Map<string, Node>;
  readonly subscriptions: Map<Session, Subscription>;
  readonly functions: Set<InProcessDeliver>;
}

/** A topic asks of so many changes whether one was for it; after more its route is made again (~1 us). */
const MOST_CHANGES = 16;

/**
 * Who gets a message: a tree of filter levels. A topic keeps its route until a subscription changes whose filter
 * matches it, whatever else subscribes and unsubscribes meanwhile.
 */
export class Router {
  readonly #root = emptyNode();
  /** Tells the filters of the last changes; that of epoch `n` is at `n` modulo their number. */
  readonly #changes: ((topic: string) => boolean)[] = [];
  /** Counts the changes. */
  #epoch = 0;
  #count = 0;

  get subscriptionCount(): number {
    return this.#count;
  }

  /** Nothing is left of any filter. */
  get empty(): boolean {
    return this.#root.children.size === 0;
  }

  add(session: Session, subscription: Subscription): void {
    const node = this.#node(subscription.filter);
    if (!node.subscriptions.has(session)) this.#count++;
    node.subscriptions.set(session, subscription);
    this.#changed(subscription.filter);
  }

  remove(session: Session, filter: string): void {
    const path = this.#path(filter);
    if (path?.at(-1)?.subscriptions.delete(session) !== true) return;
    this.#count--;
    this.#changed(filter);
    prune(path, filter.split('/'));
  }

  addFunction(filter: string, deliver: InProcessDeliver): void {
    this.#node(filter).functions.add(deliver);
    this.#changed(filter);
  }

  removeFunction(filter: string, deliver: InProcessDeliver): void {
    const path = this.#path(filter);
    if (path?.at(-1)?.functions.delete(deliver) !== true) return;
    this.#changed(filter);
    prune(path, filter.split('/'));
  }

  /** The route of a topic; the same object until it is another one. */
  route(topic: Topic): Route {
    if (topic.route === null || (topic.epoch !== this.#epoch && this.#changedFor(topic))) {
      topic.route = this.find(topic.name);
    }
    topic.epoch = this.#epoch;
    return topic.route;
  }

  /** The route of a topic that will not come again. */
  find(topic: string): Route {
    const merged = new Map<Session, Target>();
    const functions: InProcessDeliver[] = [];
    const collect = (node: Node) => {
      for (const [session, subscription] of node.subscriptions) {
        merged.set(session, mergeTarget(merged.get(session), session, subscription));
      }
      functions.push(...node.functions);
    };
    const levels = topic.split('/');
    const descend = (node: Node, depth: number) => {
      // A leading wildcard does not match a topic that starts with $ [MQTT-4.7.2-1].
      const wild = depth > 0 || topic.charCodeAt(0) !== 36;
      if (wild) {
        const open = node.children.get('#');
        if (open !== undefined) collect(open);
      }
      if (depth === levels.length) {
        collect(node);
        return;
      }
      const exact = node.children.get(levels[depth]);
      if (exact !== undefined) descend(exact, depth + 1);
      const any = wild ? node.children.get('+') : undefined;
      if (any !== undefined) descend(any, depth + 1);
    };
    descend(this.#root, 0);
    return { targets: [...merged.values()], functions };
  }

  #changed(filter: string): void {
    this.#epoch++;
    this.#changes[this.#epoch % MOST_CHANGES] = topicMatcher(filter);
  }

  #changedFor({ name, epoch }: Topic): boolean {
    if (this.#epoch - epoch > MOST_CHANGES) return true;
    for (let change = epoch + 1; change <= this.#epoch; change++) {
      if (this.#changes[change % MOST_CHANGES](name)) return true;
    }
    return false;
  }

  #node(filter: string): Node {
    let node = this.#root;
    for (const level of filter.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = emptyNode();
        node.children.set(level, child);
      }
      node = child;
    }
    return node;
  }

  /** The nodes from the root to a filter's; null if there is none. */
  #path(filter: string): Node[] | null {
    const path = [this.#root];
    for (const level of filter.split('/')) {
      const child = path[path.length - 1].children.get(level);
      if (child === undefined) return null;
      path.push(child);
    }
    return path;
  }
}

function emptyNode(): Node {
  return { children: new Map(), subscriptions: new Map(), functions: new Set() };
}

/** Takes away the nodes at the end of a path that hold nothing any more. */
function prune(path: readonly Node[], levels: readonly string[]): void {
  for (let i = path.length - 1; i > 0; i--) {
    const node = path[i];
    if (node.children.size + node.subscriptions.size + node.functions.size > 0) return;
    path[i - 1].children.delete(levels[i - 1]);
  }
}

function mergeTarget(known: Target | undefined, session: Session, subscription: Subscription): Target {
  const own = subscription.identifier === undefined ? null : [subscription.identifier];
  if (known === undefined) {
    const { qos, noLocal, retainAsPublished } = subscription;
    return { session, qos, noLocal, retainAsPublished, identifiers: own };
  }
  return {
    session,
    qos: subscription.qos > known.qos ? subscription.qos : known.qos,
    noLocal: known.noLocal && subscription.noLocal,
    retainAsPublished: known.retainAsPublished || subscription.retainAsPublished,
    identifiers: own === null ? known.identifiers : [...(known.identifiers ?? []), ...own],
  };
}

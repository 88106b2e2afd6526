import { sharedFilter, topicMatcher } from '../../topics.js';
import type { InProcessDeliver } from '../aedes-internals.js';
import type { Session } from '../session.js';
import { Share, type ShareStrategy } from './share.js';
import type { Subscription } from './subscription.js';
import { mergeTarget, type Target, targetOf } from './target.js';
import type { Topic } from './topic.js';

export interface Route {
  readonly targets: readonly Target[];
  /** Each chooses one of its members for each message. */
  readonly shares: readonly Share[];
  readonly functions: readonly InProcessDeliver[];
}

interface Node {
  readonly children: Map<string, Node>;
  readonly subscriptions: Map<Session, Subscription>;
  readonly functions: Set<InProcessDeliver>;
  /** Shared subscriptions by the name of their group; null: there are none. */
  shares: Map<string, Share> | null;
}

/** A topic asks of so many changes whether one was for it; after more its route is made again (~1 us). */
const MOST_CHANGES = 16;

/**
 * Who gets a message: a tree of filter levels. A topic keeps its route until a subscription changes whose filter
 * matches it, whatever else subscribes and unsubscribes meanwhile.
 */
export class Router {
  readonly #strategy: ShareStrategy;
  readonly #root = emptyNode();
  /** Tells the filters of the last changes; that of epoch `n` is at `n` modulo their number. */
  readonly #changes: ((topic: string) => boolean)[] = [];
  /** Counts the changes. */
  #epoch = 0;
  #count = 0;
  #shared = 0;

  constructor(strategy: ShareStrategy = 'round-robin') {
    this.#strategy = strategy;
  }

  /** Shared ones included, one for each member. */
  get subscriptionCount(): number {
    return this.#count + this.#shared;
  }

  get sharedCount(): number {
    return this.#shared;
  }

  /** Nothing is left of any filter. */
  get empty(): boolean {
    return this.#root.children.size === 0;
  }

  add(session: Session, subscription: Subscription): void {
    const shared = sharedFilter(subscription.filter);
    if (shared !== null) {
      this.#join(shared.group, shared.filter, targetOf(session, subscription));
      return;
    }
    const node = this.#node(subscription.filter);
    if (!node.subscriptions.has(session)) this.#count++;
    node.subscriptions.set(session, subscription);
    this.#changed(subscription.filter);
  }

  /** The shared subscription that the session has left; null: it was none. */
  remove(session: Session, filter: string): Share | null {
    const shared = sharedFilter(filter);
    if (shared !== null) return this.#leave(shared.group, shared.filter, session);
    const path = this.#path(filter);
    if (path?.at(-1)?.subscriptions.delete(session) !== true) return null;
    this.#count--;
    this.#changed(filter);
    prune(path, filter.split('/'));
    return null;
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
    let route = topic.route as Route | null;
    if (route === null || (topic.epoch !== this.#epoch && this.#changedFor(topic))) {
      route = this.find(topic.name);
      topic.route = route;
    }
    topic.epoch = this.#epoch;
    return route;
  }

  /** The route of a topic that will not come again. Its cost grows with what matches, not with what does not. */
  find(topic: string): Route {
    const found = new FoundRoute();
    this.#descend(this.#root, topic, 0, found);
    const { targets, shares, functions } = found;
    return targets.length + shares.length + functions.length > 0 ? found : NOWHERE;
  }

  /** Routes stay as they are while members come and go: a share knows its members. */
  #join(group: string, filter: string, member: Target): void {
    const node = this.#node(filter);
    node.shares ??= new Map();
    let share = node.shares.get(group);
    if (share === undefined) {
      share = new Share(this.#strategy);
      node.shares.set(group, share);
      this.#changed(filter);
    }
    if (share.add(member)) this.#shared++;
  }

  #leave(group: string, filter: string, session: Session): Share | null {
    const path = this.#path(filter);
    const node = path?.at(-1);
    const share = node?.shares?.get(group);
    if (share?.remove(session) !== true) return null;
    this.#shared--;
    if (share.members.length > 0) return share;
    node!.shares!.delete(group);
    if (node!.shares!.size === 0) node!.shares = null;
    this.#changed(filter);
    prune(path!, filter.split('/'));
    return share;
  }

  /** Collects what matches the levels of `topic` from `start` on, below a node that matches those before. */
  #descend(node: Node, topic: string, start: number, found: FoundRoute): void {
    if (node.children.size === 0 && start <= topic.length) return;
    // A leading wildcard does not match a topic that starts with $ [MQTT-4.7.2-1].
    const wild = start > 0 || topic.charCodeAt(0) !== 36;
    if (wild) {
      const open = node.children.get('#');
      if (open !== undefined) found.add(open);
    }
    if (start > topic.length) {
      found.add(node);
      return;
    }
    const slash = topic.indexOf('/', start);
    const end = slash === -1 ? topic.length : slash;
    const exact = node.children.get(topic.slice(start, end));
    if (exact !== undefined) this.#descend(exact, topic, end + 1, found);
    const any = wild ? node.children.get('+') : undefined;
    if (any !== undefined) this.#descend(any, topic, end + 1, found);
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

/** One for all topics that nobody wants. */
export const NOWHERE: Route = { targets: [], shares: [], functions: [] };

class FoundRoute implements Route {
  readonly targets: Target[] = [];
  readonly shares: Share[] = [];
  readonly functions: InProcessDeliver[] = [];
  /** Where the target of a session is; not needed before a second filter matches. */
  #places: Map<Session, number> | null = null;

  add({ subscriptions, shares, functions }: Node): void {
    if (shares !== null) this.shares.push(...shares.values());
    for (const deliver of functions) this.functions.push(deliver);
    if (subscriptions.size === 0) return;
    if (this.targets.length > 0)
      this.#places ??= new Map(this.targets.map(({ session }, place) => [session, place]));
    for (const [session, subscription] of subscriptions) {
      const known = this.#places?.get(session);
      if (known === undefined) {
        this.#places?.set(session, this.targets.length);
        this.targets.push(targetOf(session, subscription));
      } else {
        this.targets[known] = mergeTarget(this.targets[known], subscription);
      }
    }
  }
}

function emptyNode(): Node {
  return { children: new Map(), subscriptions: new Map(), functions: new Set(), shares: null };
}

/** Takes away the nodes at the end of a path that hold nothing any more. */
function prune(path: readonly Node[], levels: readonly string[]): void {
  for (let i = path.length - 1; i > 0; i--) {
    const { children, subscriptions, functions, shares } = path[i];
    if (children.size + subscriptions.size + functions.size > 0 || shares !== null) return;
    path[i - 1].children.delete(levels[i - 1]);
  }
}

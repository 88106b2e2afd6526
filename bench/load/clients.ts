import { CrowdMember, crowdFilters, crowdShare } from './crowd.js';
import type { FlowPlan, FlowResult } from './plan.js';
import { type ClientEvents, Publisher } from './publisher.js';
import { Subscriber } from './subscriber.js';

let flows = 0;

export type Counts = Pick<FlowResult, 'sent' | 'acknowledged' | 'received' | 'wrong' | 'crowdExcess'>;

/** All clients of one flow. */
export class Clients {
  readonly publishers: readonly Publisher[];
  /** Those that read. */
  readonly subscribers: readonly Subscriber[];
  readonly #stalled: readonly Subscriber[];
  readonly #crowd: readonly CrowdMember[];
  readonly #plan: FlowPlan;

  /** `ready` comes once, when all are connected and subscribed. */
  constructor(plan: FlowPlan, { ready, progress, ended }: ClientEvents) {
    this.#plan = plan;
    const { publishers, subscribers, stalled = 0, crowd } = plan;
    const filters = crowd === undefined ? [] : crowdFilters(plan, crowd);
    let awaited = publishers + subscribers + filters.length;
    const oneReady = () => {
      if (--awaited === 0) ready();
    };
    const events: ClientEvents = { ready: oneReady, progress, ended };
    // A broker may end a connection that does not read.
    const stalledEvents: ClientEvents = {
      ...events,
      ended: (reason) => {
        if (awaited > 0) ended(reason);
      },
    };
    const prefix = `bench-${process.pid}-${flows++}`;
    const reading = subscribers - stalled;
    const subscriber = (n: number, on: ClientEvents) => new Subscriber(plan, n, `${prefix}-s${n}`, on);
    this.subscribers = times(reading, (n) => subscriber(n, events));
    this.#stalled = times(stalled, (n) => subscriber(reading + n, stalledEvents));
    this.#crowd = filters.map((some, n) => new CrowdMember(plan, some, `${prefix}-c${n}`, events));
    this.publishers = times(publishers, (n) => new Publisher(plan, n, `${prefix}-p${n}`, events));
  }

  get sent(): number {
    return sum(this.publishers, 'sent');
  }

  counts(): Counts {
    const { qos, crowd } = this.#plan;
    const { sent } = this;
    const expected = crowd === undefined ? 0 : crowdShare(this.#plan, crowd, this.publishers[0].sent);
    return {
      sent,
      acknowledged: qos === 0 ? sent : sum(this.publishers, 'acknowledged'),
      received: sum(this.subscribers, 'received'),
      wrong: sum(this.subscribers, 'wrong'),
      crowdExcess: sum(this.#crowd, 'received') - expected,
    };
  }

  /** The number of the first message of a publisher that some subscriber has not received. */
  receivedBefore(publisher: number): number {
    if (this.#plan.pairs === true) return this.subscribers[publisher].next[publisher];
    const { sent } = this.publishers[publisher];
    return this.subscribers.reduce((least, { next }) => Math.min(least, next[publisher]), sent);
  }

  /** From now on some do not read, if the plan says so. */
  stall(): void {
    for (const { connection } of this.#stalled) connection.stall();
  }

  end(): void {
    const clients = [this.publishers, this.subscribers, this.#stalled, this.#crowd].flat();
    for (const { connection } of clients) connection.end();
  }
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

function sum<K extends string>(clients: readonly Readonly<Record<K, number>>[], key: K): number {
  return clients.reduce((total, client) => total + client[key], 0);
}

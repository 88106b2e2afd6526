import { Connection, checkConnack, type PacketTaker } from './connection.js';
import { CONNACK, PUBLISH, SUBACK, subscribePacket } from './packets.js';
import { type CrowdPlan, distinctTopic, type FlowPlan } from './plan.js';
import type { ClientEvents } from './publisher.js';

/** Of one SUBSCRIBE. */
const FILTERS_AT_ONCE = 500;

/** One client of a crowd: it holds many filters, and counts what matches them. */
export class CrowdMember implements PacketTaker {
  received = 0;
  readonly connection: Connection;
  readonly #filters: readonly string[];
  readonly #events: ClientEvents;
  #asked = 0;

  constructor(plan: FlowPlan, filters: readonly string[], clientId: string, events: ClientEvents) {
    this.#filters = filters;
    this.#events = events;
    this.connection = new Connection(plan, this, (reason) => events.ended(`${clientId}: ${reason}`));
    this.connection.introduce(clientId);
  }

  packet(type: number, _flags: number, bytes: Buffer, at: number): void {
    if (type === PUBLISH) {
      this.received++;
    } else if (type === CONNACK) {
      checkConnack(bytes, at);
      this.#subscribe();
    } else if (type === SUBACK) {
      if (this.#asked < this.#filters.length) this.#subscribe();
      else this.#events.ready();
    }
  }

  turn(): void {
    this.#events.progress();
  }

  #subscribe(): void {
    const some = this.#filters.slice(this.#asked, this.#asked + FILTERS_AT_ONCE);
    this.#asked += some.length;
    this.connection.write(subscribePacket(some, 0));
  }
}

/** The filters of each client: a third of them exact, a third with +, a third with #, in turn. */
export function crowdFilters(plan: FlowPlan, crowd: CrowdPlan): string[][] {
  const { topic } = plan;
  const filters: string[][] = Array.from({ length: crowd.clients }, () => []);
  for (let i = 0; i < crowd.filters; i++) {
    // No message's topic has a level that begins with x.
    const exact =
      i < crowd.matching ? distinctTopic(topic, 0, i * strideOf(plan, crowd)) : `${topic}/0/x${i}`;
    const filter = [exact, exact.replace('/0/', '/+/'), `${exact}/#`][i % 3];
    filters[i % crowd.clients].push(filter);
  }
  return filters;
}

/** What reaches the crowd of the first `sent` messages of the first publisher. */
export function crowdShare(plan: FlowPlan, crowd: CrowdPlan, sent: number): number {
  return Math.min(crowd.matching, Math.ceil(sent / strideOf(plan, crowd)));
}

/** From one topic that a filter matches to the next. */
function strideOf({ topics = 1 }: FlowPlan, { matching }: CrowdPlan): number {
  return Math.floor(topics / matching);
}

import { cpuOf } from '../process-cost.js';
import { CrowdMember, crowdFilters, crowdShare } from './crowd.js';
import { type FlowPlan, type FlowResult, readersOf } from './plan.js';
import { type ClientEvents, Publisher } from './publisher.js';
import { Subscriber } from './subscriber.js';

/** Most bytes that are sent and not received everywhere: below every broker's bound for a slow subscriber. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Most unacknowledged messages of one publisher. */
const INFLIGHT = 100;
/** Without any progress for so long, what is missing is lost. */
const PATIENCE_MS = 5000;
/** For every client to connect, and for the crowd to subscribe. */
const START_MS = 30_000;
/** A timer's delay that does not count as late. */
const TICK_MS = 2;

let flows = 0;

/** Carries out a plan. Resolves also if messages were lost: the result tells. Rejects if a connection ends. */
export function runFlow(plan: FlowPlan): Promise<FlowResult> {
  return new Promise((resolve, reject) => new Flow(plan, resolve, reject));
}

class Flow {
  readonly #plan: FlowPlan;
  readonly #rate: number;
  readonly #publishers: Publisher[];
  /** Those that read. */
  readonly #subscribers: Subscriber[];
  readonly #stalled: Subscriber[];
  readonly #crowd: CrowdMember[];
  readonly #resolve: (result: FlowResult) => void;
  readonly #reject: (error: Error) => void;
  #notReady: number;
  #started = 0;
  #cpu = process.cpuUsage();
  #cpuBefore = { process: Number.NaN, mainThread: Number.NaN };
  #lastProgress = 0;
  #sending = true;
  /** The publisher whose turn it is. */
  #next = 0;
  #awake = false;
  #over = false;
  #ticks: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(plan: FlowPlan, resolve: (result: FlowResult) => void, reject: (error: Error) => void) {
    this.#plan = plan;
    this.#rate = plan.rate ?? 0;
    this.#resolve = resolve;
    this.#reject = reject;
    const events: ClientEvents = {
      ready: () => {
        if (--this.#notReady === 0) this.#start();
      },
      progress: () => this.#wake(),
      ended: (reason) => this.#fail(new Error(reason)),
    };
    // A broker may end a connection that does not read.
    const stalledEvents: ClientEvents = {
      ...events,
      ended: (reason) => {
        if (this.#started === 0) events.ended(reason);
      },
    };
    const prefix = `bench-${process.pid}-${flows++}`;
    const { publishers, subscribers, stalled = 0, crowd } = plan;
    const reading = subscribers - stalled;
    const clients = <T>(count: number, make: (index: number) => T) =>
      Array.from({ length: count }, (_, n) => make(n));
    const subscriber = (n: number, on: ClientEvents) => new Subscriber(plan, n, `${prefix}-s${n}`, on);
    const filters = crowd === undefined ? [] : crowdFilters(plan, crowd);
    this.#notReady = publishers + subscribers + filters.length;
    this.#subscribers = clients(reading, (n) => subscriber(n, events));
    this.#stalled = clients(stalled, (n) => subscriber(reading + n, stalledEvents));
    this.#crowd = filters.map((some, n) => new CrowdMember(plan, some, `${prefix}-c${n}`, events));
    this.#publishers = clients(publishers, (n) => new Publisher(plan, n, `${prefix}-p${n}`, events));
    this.#watch = setTimeout(() => this.#fail(new Error('the clients could not connect in time')), START_MS);
  }

  #start(): void {
    clearTimeout(this.#watch);
    for (const { connection } of this.#stalled) connection.stall();
    if (this.#plan.pid !== undefined) this.#cpuBefore = cpuOf(this.#plan.pid);
    this.#started = performance.now();
    this.#lastProgress = this.#started;
    this.#cpu = process.cpuUsage();
    // With a rate, every tick sends what is due; without one this only sees to it that time ends it.
    this.#ticks = setInterval(() => this.#tick(), this.#rate > 0 ? 1 : 20);
    this.#watch = setInterval(() => {
      if (!this.#sending && performance.now() - this.#lastProgress > PATIENCE_MS) this.#finish();
    }, 100);
    this.#tick();
  }

  #wake(): void {
    if (this.#started === 0) return;
    this.#lastProgress = performance.now();
    if (this.#awake || (this.#rate > 0 && this.#sending)) return;
    this.#awake = true;
    setImmediate(() => {
      this.#awake = false;
      this.#tick();
    });
  }

  #tick(): void {
    if (this.#over) return;
    if (this.#sending) this.#send();
    if (!this.#sending && this.#complete()) this.#finish();
  }

  #send(): void {
    const { messages, seconds, qos } = this.#plan;
    const elapsed = (performance.now() - this.#started) / 1000;
    let sent = sum(this.#publishers, 'sent');
    const due = this.#rate > 0 ? Math.min(messages, Math.floor(elapsed * this.#rate)) : messages;
    const { length } = this.#publishers;
    const window = WINDOW_BYTES / length;
    for (let i = 0, first = this.#next; i < length; i++) {
      // Those who are late share the rest, so that no publisher sends everything.
      const share = Math.ceil((due - sent) / (length - i));
      if (share <= 0) break;
      const index = (first + i) % length;
      const publisher = this.#publishers[index];
      this.#next = (index + 1) % length;
      const travelling = publisher.sent - this.#receivedBefore(index, publisher.sent);
      let room = Math.max(1, Math.floor(window / publisher.packetBytes)) - travelling;
      if (qos > 0) room = Math.min(room, INFLIGHT - (publisher.sent - publisher.acknowledged));
      sent += publisher.send(Math.min(room, share), this.#lateness(elapsed, sent));
    }
    if (sent >= messages || elapsed >= seconds) this.#sending = false;
  }

  /** At a fixed rate, how long ago message `sent` was due, ms: a broker that holds it up does not save its time. */
  #lateness(elapsed: number, sent: number): number {
    const late = this.#rate > 0 ? (elapsed - (sent + 1) / this.#rate) * 1000 : 0;
    return late > TICK_MS ? late : 0;
  }

  /** The number of the first message of a publisher that some subscriber has not received. */
  #receivedBefore(publisher: number, sent: number): number {
    if (this.#plan.pairs === true) return this.#subscribers[publisher].next[publisher];
    return this.#subscribers.reduce((least, { next }) => Math.min(least, next[publisher]), sent);
  }

  #complete(): boolean {
    const { sent, acknowledged, received, crowdExcess } = this.#counts();
    return acknowledged >= sent && received >= sent * readersOf(this.#plan) && crowdExcess >= 0;
  }

  #finish(): void {
    const { user, system } = process.cpuUsage(this.#cpu);
    const seconds = (this.#lastProgress - this.#started) / 1000;
    this.#end();
    this.#resolve({
      ...this.#counts(),
      wrong: sum(this.#subscribers, 'wrong'),
      seconds,
      generatorShare: (user + system) / 1e6 / seconds,
      latencies: Float64Array.from(this.#subscribers.flatMap(({ latencies }) => latencies)),
      cpuBefore: this.#cpuBefore,
    });
  }

  #counts(): Pick<FlowResult, 'sent' | 'acknowledged' | 'received' | 'crowdExcess'> {
    const { qos, crowd } = this.#plan;
    const sent = sum(this.#publishers, 'sent');
    const expected = crowd === undefined ? 0 : crowdShare(this.#plan, crowd, this.#publishers[0].sent);
    return {
      sent,
      acknowledged: qos === 0 ? sent : sum(this.#publishers, 'acknowledged'),
      received: sum(this.#subscribers, 'received'),
      crowdExcess: sum(this.#crowd, 'received') - expected,
    };
  }

  #fail(error: Error): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#over = true;
    clearInterval(this.#ticks);
    clearInterval(this.#watch);
    const clients = [this.#publishers, this.#subscribers, this.#stalled, this.#crowd].flat();
    for (const { connection } of clients) connection.end();
  }
}

function sum<K extends string>(clients: readonly Readonly<Record<K, number>>[], key: K): number {
  return clients.reduce((total, client) => total + client[key], 0);
}

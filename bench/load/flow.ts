import type { FlowPlan, FlowResult } from './plan.js';
import { type ClientEvents, Publisher } from './publisher.js';
import { Subscriber } from './subscriber.js';

/** Most bytes that are sent and not received everywhere: below every broker's bound for a slow subscriber. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Most unacknowledged messages of one publisher. */
const INFLIGHT = 100;
/** Without any progress for so long, what is missing is lost. */
const PATIENCE_MS = 5000;

let flows = 0;

/** Carries out a plan. Resolves also if messages were lost: the result tells. Rejects if a connection ends. */
export function runFlow(plan: FlowPlan): Promise<FlowResult> {
  return new Promise((resolve, reject) => new Flow(plan, resolve, reject));
}

class Flow {
  readonly #plan: FlowPlan;
  readonly #publishers: Publisher[];
  readonly #subscribers: Subscriber[];
  readonly #resolve: (result: FlowResult) => void;
  readonly #reject: (error: Error) => void;
  #notReady: number;
  #started = 0;
  #cpu = process.cpuUsage();
  #lastProgress = 0;
  #sending = true;
  #awake = false;
  #over = false;
  #ticks: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(plan: FlowPlan, resolve: (result: FlowResult) => void, reject: (error: Error) => void) {
    this.#plan = plan;
    this.#resolve = resolve;
    this.#reject = reject;
    const events: ClientEvents = {
      ready: () => {
        if (--this.#notReady === 0) this.#start();
      },
      progress: () => this.#wake(),
      ended: (reason) => this.#fail(new Error(reason)),
    };
    const prefix = `bench-${process.pid}-${flows++}`;
    this.#notReady = plan.publishers + plan.subscribers;
    const clients = <T>(count: number, make: (index: number) => T) =>
      Array.from({ length: count }, (_, n) => make(n));
    this.#subscribers = clients(plan.subscribers, (n) => new Subscriber(plan, n, `${prefix}-s${n}`, events));
    this.#publishers = clients(plan.publishers, (n) => new Publisher(plan, n, `${prefix}-p${n}`, events));
    this.#watch = setTimeout(
      () => this.#fail(new Error('the clients could not connect in time')),
      PATIENCE_MS * 2,
    );
  }

  #start(): void {
    clearTimeout(this.#watch);
    this.#started = performance.now();
    this.#lastProgress = this.#started;
    this.#cpu = process.cpuUsage();
    // With a rate, every tick sends what is due; without one this only sees to it that time ends it.
    this.#ticks = setInterval(() => this.#turn(), (this.#plan.rate ?? 0) > 0 ? 1 : 20);
    this.#watch = setInterval(() => {
      if (!this.#sending && performance.now() - this.#lastProgress > PATIENCE_MS) this.#finish();
    }, 100);
    this.#turn();
  }

  #wake(): void {
    if (this.#started === 0) return;
    this.#lastProgress = performance.now();
    if (this.#awake) return;
    this.#awake = true;
    setImmediate(() => {
      this.#awake = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#over) return;
    if (this.#sending) this.#send();
    if (!this.#sending && this.#complete()) this.#finish();
  }

  #send(): void {
    const { messages, seconds, rate = 0, qos } = this.#plan;
    const elapsed = (performance.now() - this.#started) / 1000;
    let sent = this.#sum(this.#publishers, 'sent');
    const due = rate > 0 ? Math.min(messages, Math.floor(elapsed * rate)) : messages;
    const window = WINDOW_BYTES / this.#publishers.length;
    for (const [index, publisher] of this.#publishers.entries()) {
      const travelling = publisher.sent - this.#receivedBefore(index, publisher.sent);
      let room = Math.max(1, Math.floor(window / publisher.packetBytes)) - travelling;
      if (qos > 0) room = Math.min(room, INFLIGHT - (publisher.sent - publisher.acknowledged));
      // Those who are late share the rest, so that no publisher sends everything.
      const share = Math.ceil((due - sent) / (this.#publishers.length - index));
      sent += publisher.send(Math.min(room, share));
    }
    if (sent >= messages || elapsed >= seconds) this.#sending = false;
  }

  /** The number of the first message of a publisher that some subscriber has not received. */
  #receivedBefore(publisher: number, sent: number): number {
    return this.#subscribers.reduce((least, { next }) => Math.min(least, next[publisher]), sent);
  }

  #complete(): boolean {
    const { qos, subscribers } = this.#plan;
    const sent = this.#sum(this.#publishers, 'sent');
    const acknowledged = qos === 0 ? sent : this.#sum(this.#publishers, 'acknowledged');
    return acknowledged >= sent && this.#sum(this.#subscribers, 'received') >= sent * subscribers;
  }

  #finish(): void {
    const { qos } = this.#plan;
    const { user, system } = process.cpuUsage(this.#cpu);
    const seconds = (this.#lastProgress - this.#started) / 1000;
    const sent = this.#sum(this.#publishers, 'sent');
    this.#end();
    this.#resolve({
      sent,
      acknowledged: qos === 0 ? sent : this.#sum(this.#publishers, 'acknowledged'),
      received: this.#sum(this.#subscribers, 'received'),
      wrong: this.#sum(this.#subscribers, 'wrong'),
      seconds,
      generatorShare: (user + system) / 1e6 / seconds,
      latencies: Float64Array.from(this.#subscribers.flatMap(({ latencies }) => latencies)),
    });
  }

  #fail(error: Error): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#over = true;
    clearInterval(this.#ticks);
    clearInterval(this.#watch);
    for (const { connection } of [...this.#publishers, ...this.#subscribers]) connection.end();
  }

  #sum<K extends string>(clients: readonly Readonly<Record<K, number>>[], key: K): number {
    return clients.reduce((sum, client) => sum + client[key], 0);
  }
}

import { cpuOf } from '../process-cost.js';
import { Clients } from './clients.js';
import { type FlowPlan, type FlowResult, readersOf } from './plan.js';

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

/** Carries out a plan. Resolves also if messages were lost or a connection ended: the result tells. */
export function runFlow(plan: FlowPlan): Promise<FlowResult> {
  return new Promise((resolve) => new Flow(plan, resolve));
}

class Flow {
  readonly #plan: FlowPlan;
  readonly #rate: number;
  readonly #clients: Clients;
  readonly #resolve: (result: FlowResult) => void;
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
  #watch: NodeJS.Timeout;

  constructor(plan: FlowPlan, resolve: (result: FlowResult) => void) {
    this.#plan = plan;
    this.#rate = plan.rate ?? 0;
    this.#resolve = resolve;
    this.#watch = setTimeout(() => this.#finish('the clients could not connect in time'), START_MS);
    this.#clients = new Clients(plan, {
      ready: () => this.#start(),
      progress: () => this.#wake(),
      ended: (reason) => this.#finish(reason),
    });
  }

  #start(): void {
    clearTimeout(this.#watch);
    this.#clients.stall();
    if (this.#plan.pid !== undefined) this.#cpuBefore = cpuOf(this.#plan.pid);
    this.#started = performance.now();
    this.#lastProgress = this.#started;
    this.#cpu = process.cpuUsage();
    // With a rate, every tick sends what is due; without one this only sees to it that time ends it.
    this.#ticks = setInterval(() => this.#tick(), this.#rate > 0 ? 1 : 20);
    this.#watch = setInterval(() => {
      if (!this.#sending && performance.now() - this.#lastProgress > PATIENCE_MS) this.#finish(null);
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
    if (!this.#sending && this.#complete()) this.#finish(null);
  }

  #send(): void {
    const { messages, seconds, qos } = this.#plan;
    const { publishers } = this.#clients;
    const { length } = publishers;
    const elapsed = (performance.now() - this.#started) / 1000;
    let { sent } = this.#clients;
    const due = this.#rate > 0 ? Math.min(messages, Math.floor(elapsed * this.#rate)) : messages;
    const window = WINDOW_BYTES / length;
    for (let i = 0, first = this.#next; i < length; i++) {
      // Those who are late share the rest, so that no publisher sends everything.
      const share = Math.ceil((due - sent) / (length - i));
      if (share <= 0) break;
      const index = (first + i) % length;
      const publisher = publishers[index];
      this.#next = (index + 1) % length;
      const travelling = publisher.sent - this.#clients.receivedBefore(index);
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

  #complete(): boolean {
    const { sent, acknowledged, received, crowdExcess } = this.#clients.counts();
    return acknowledged >= sent && received >= sent * readersOf(this.#plan) && crowdExcess >= 0;
  }

  #finish(failure: string | null): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#ticks);
    clearInterval(this.#watch);
    const { user, system } = process.cpuUsage(this.#cpu);
    const seconds = (this.#lastProgress - this.#started) / 1000;
    this.#clients.end();
    this.#resolve({
      failure,
      ...this.#clients.counts(),
      seconds,
      generatorShare: (user + system) / 1e6 / seconds,
      latencies: Float64Array.from(this.#clients.subscribers.flatMap(({ latencies }) => latencies)),
      cpuBefore: this.#cpuBefore,
    });
  }
}

import type { FakeTime } from '../clock/machine.js';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** What a process does later, in the time of its machine. */
export class Timers {
  readonly #time: FakeTime;
  #waiting: Timer[] = [];

  constructor(time: FakeTime) {
    this.#time = time;
  }

  /** Monotonic, ms. */
  now(): number {
    return this.#time.uptime / 1000;
  }

  readonly after = (ms: number, callback: () => void): (() => void) => {
    const timer = { at: this.now() + ms, callback };
    this.#waiting.push(timer);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== timer);
    };
  };

  /** Calls back what is due, in its order. */
  run(): void {
    const now = this.now();
    const due = this.#waiting.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    this.#waiting = this.#waiting.filter(({ at }) => at > now);
    for (const { callback } of due) callback();
  }
}

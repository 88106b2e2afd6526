import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Sample } from './series.js';

/** How often the event loop is looked at, ms. Node's figures contain this interval. */
const RESOLUTION_MS = 20;

/** How late the event loop was since the last scrape. */
export class EventLoopDelay {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#histogram.enable();
  }

  /** Quantiles in seconds; quantile 1 is the longest delay. Begins anew. */
  *samples(): Generator<Sample> {
    for (const [quantile, nanoseconds] of [
      ['0.5', this.#histogram.percentile(50)],
      ['0.99', this.#histogram.percentile(99)],
      ['1', this.#histogram.max],
    ] as const) {
      yield [{ quantile }, Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3)];
    }
    this.#histogram.reset();
  }

  close(): void {
    this.#histogram.disable();
  }
}

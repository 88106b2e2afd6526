import { Registry } from 'prom-client';
import type { Bridge } from '../bridge/bridge.js';
import type { Broker } from '../broker/broker.js';
import type { Clock } from '../clock/clock.js';
import type { Streams } from '../streams/streams.js';
import { BRIDGE_SERIES } from './bridge-series.js';
import { CLOCK_SERIES } from './clock-series.js';
import { CONNECTION_SERIES } from './connection-series.js';
import { EventLoopDelay } from './event-loop.js';
import { MESSAGE_SERIES } from './message-series.js';
import { PROCESS_SERIES } from './process-series.js';
import { REQUEST_SERIES, type RequestsNow } from './request-series.js';
import { addMetric, addSeries } from './series.js';
import { STREAM_SERIES, type StreamNow } from './stream-series.js';

/** What of the whole process is counted. */
export interface Measured extends RequestsNow {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly streams: Streams;
  readonly bridges: { all(): readonly Bridge[] };
}

/** Everything that is measured, in Prometheus' text format. Values are read when asked for, never before. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #eventLoop = new EventLoopDelay();

  constructor(measured: Measured) {
    const { bridges, broker, clock, streams } = measured;
    addSeries<StreamNow>(this.#registry, STREAM_SERIES, ['stream'], function* () {
      for (const stream of streams.exchange.all()) {
        const { name } = stream;
        const { failure, files, recovery } = streams.status(name);
        yield [{ stream: name }, { stream, files, failing: failure !== null, recovery }];
      }
    });
    addSeries(this.#registry, BRIDGE_SERIES, ['bridge'], () =>
      bridges.all().map((bridge) => [{ bridge: bridge.name }, bridge] as const),
    );
    addSeries(this.#registry, CONNECTION_SERIES, [], () => [[{}, broker]]);
    addSeries(this.#registry, MESSAGE_SERIES, [], () => [[{}, broker]]);
    addSeries(this.#registry, REQUEST_SERIES, [], () => [[{}, measured]]);
    addSeries(this.#registry, CLOCK_SERIES, [], () => [[{}, clock]]);
    addSeries(this.#registry, PROCESS_SERIES, [], () => [[{}, process]]);
    addMetric(
      this.#registry,
      {
        kind: 'gauge',
        name: 'event_loop_delay_seconds',
        help: 'How late the event loop was since the last scrape; quantile 1 is the longest delay.',
      },
      ['quantile'],
      () => this.#eventLoop.samples(),
    );
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  close(): void {
    this.#eventLoop.close();
  }
}

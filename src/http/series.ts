import { Counter, Gauge, type Registry } from 'prom-client';

/** One metric: its name without the prefix, what it says, and where its value is when somebody asks for it. */
export interface Series<Subject> {
  readonly kind: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly read: (subject: Subject) => number;
}

/** A value and its labels. */
export type Sample = readonly [labels: Record<string, string>, value: number];

export const PREFIX = 'mqtt_stream_';

/**
 * A metric whose samples are made at the moment of the scrape. Nothing is kept between two scrapes: the counts are
 * where they are made, and a stream that was removed is gone.
 */
export function addMetric(
  registry: Registry,
  { kind, name, help }: Omit<Series<never>, 'read'>,
  labelNames: readonly string[],
  samples: () => Iterable<Sample>,
): void {
  const Kind = kind === 'counter' ? Counter : Gauge;
  const metric: Counter | Gauge = new Kind({
    name: PREFIX + name,
    help,
    labelNames,
    registers: [registry],
    collect: () => {
      metric.reset();
      for (const [labels, value] of samples()) metric.inc(labels, value);
    },
  });
}

/** The metrics of a table, each with one sample for every subject of now. */
export function addSeries<Subject>(
  registry: Registry,
  table: readonly Series<Subject>[],
  labelNames: readonly string[],
  subjects: () => Iterable<readonly [labels: Record<string, string>, subject: Subject]>,
): void {
  for (const series of table) {
    addMetric(registry, series, labelNames, function* () {
      for (const [labels, subject] of subjects()) yield [labels, series.read(subject)];
    });
  }
}

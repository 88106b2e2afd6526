import { median } from './summary.js';

/** What one run of one contender measured: a value for each metric of its table. */
export type Sample = Readonly<Record<string, number>>;

export interface Metric {
  readonly key: string;
  /** With its unit. */
  readonly title: string;
  /** Behind the decimal point. */
  readonly digits: number;
}

export interface Row {
  /** What was measured, such as a size of messages. */
  readonly case: string;
  readonly who: string;
  readonly ours: boolean;
  /** One a round. */
  readonly samples: readonly Sample[];
  /** Why there are no figures. */
  readonly failure: string | null;
}

export interface Table {
  readonly title: string;
  /** The first one is compared. */
  readonly metrics: readonly Metric[];
  readonly moreIsBetter: boolean;
  readonly rows: readonly Row[];
}

/** A figure that was set as a goal before it was measured. */
export interface Target {
  readonly what: string;
  readonly unit: string;
  /** NaN if the run failed its check. */
  readonly value: number;
  readonly limit: number;
  readonly atLeast: boolean;
}

export function isMet({ value, limit, atLeast }: Target): boolean {
  return atLeast ? value >= limit : value <= limit;
}

/** The median of a metric over the rounds; NaN if the row failed. */
export function medianOf(row: Row, key: string): number {
  return row.failure === null ? median(row.samples.map((sample) => sample[key])) : Number.NaN;
}

/** The row of a case and contender. */
export function rowOf(rows: readonly Row[], kase: string, who: string): Row {
  const found = rows.find((row) => row.case === kase && row.who === who);
  if (found === undefined) throw new Error(`no row "${kase}" of "${who}"`);
  return found;
}

/** Targets that are ratios of two rows. */
import { medianOf, type Row, rowOf, type Target } from './table.js';

export interface Goal {
  readonly case: string;
  /** Beginning of a peer's name. */
  readonly peer: string;
  readonly key: string;
  /** What the metric is called in the target. */
  readonly metric: string;
  readonly limit: number;
  readonly atLeast: boolean;
}

/** How `who` compares with a peer; a peer that is not here or failed sets no target. */
export function against(rows: readonly Row[], who: string, goal: Goal): Target[] {
  const { case: kase, peer, key, metric, limit, atLeast } = goal;
  const theirs = rows.find((row) => row.case === kase && row.who.startsWith(peer) && row.failure === null);
  if (theirs === undefined) return [];
  const value = medianOf(rowOf(rows, kase, who), key) / medianOf(theirs, key);
  return [{ what: `${kase}: ${metric}, against ${theirs.who}`, unit: 'x', value, limit, atLeast }];
}

/** For several peers at once. */
export function goals(
  kase: string,
  key: string,
  metric: string,
  atLeast: boolean,
  limits: Readonly<Record<string, number>>,
): Goal[] {
  return Object.entries(limits).map(([peer, limit]) => ({ case: kase, peer, key, metric, limit, atLeast }));
}

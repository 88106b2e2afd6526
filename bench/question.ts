import type { Row, Table, Target } from './table.js';

/** How a run was asked for. */
export interface Run {
  /** Tiny counts, one round: only the checks mean something. */
  readonly quick: boolean;
  /** How often every contender is measured. */
  readonly rounds: number;
  /** How long `memory` watches. */
  readonly minutes: number;
  /** An empty folder, removed afterwards. */
  readonly folder: string;
}

export interface Answer {
  readonly tables: readonly Table[];
  readonly targets: readonly Target[];
  /** What a reader has to know to judge the figures. */
  readonly notes: readonly string[];
}

/** A question that a file of this folder answers by measuring. */
export type Question = (run: Run) => Promise<Answer>;

/** A run lost, doubled or garbled something: it has no speed. */
export class CheckFailed extends Error {
  override readonly name = 'CheckFailed';
}

/** Throws `CheckFailed` unless `actual` is what it should be. */
export function check(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new CheckFailed(`${what}: ${actual} instead of ${expected}`);
}

/** Whether one of our own rows, not a peer's, has failed its check. */
export function failed(answer: Answer): boolean {
  return rowsOf(answer).some(({ ours, failure }) => ours && failure !== null);
}

function rowsOf({ tables }: Answer): Row[] {
  return tables.flatMap(({ rows }) => rows);
}

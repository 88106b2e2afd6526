/** Counts, sizes and durations as people write them, as plain numbers once parsed. */
import { z } from 'zod';
import { shown } from './problem.js';

/** Bytes a unit. Largest first, so that a number is shown in the largest unit that divides it. */
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['TiB', 2 ** 40],
  ['TB', 1e12],
  ['GiB', 2 ** 30],
  ['GB', 1e9],
  ['MiB', 2 ** 20],
  ['MB', 1e6],
  ['KiB', 2 ** 10],
  ['KB', 1e3],
  ['B', 1],
]);

/** Milliseconds a unit. */
const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]);

interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** A size: a number of bytes or a text such as `64MiB`. Parsed to bytes; `range` is in bytes. */
export function size(range: Range = {}) {
  return quantity('a size such as 64MiB, 500MB or a number of bytes', SIZE_UNITS, range);
}

/** A duration: a number of milliseconds or a text such as `60s`. Parsed to ms; `range` is in ms. */
export function duration(range: Range = {}) {
  return quantity('a duration such as 250ms, 60s, 7d or a number of milliseconds', DURATION_UNITS, range);
}

/** A count. Not `z.int`, whose failure stops the checks of the lists and maps around it. */
export function whole(min: number, max = Number.MAX_SAFE_INTEGER) {
  return z.number().multipleOf(1).min(min).max(max);
}

function quantity(what: string, units: ReadonlyMap<string, number>, range: Range) {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = range;
  return z
    .union([z.number(), z.string()], { error: ({ input }) => `expected ${what}, got ${shown(input)}` })
    .transform((input, context) => {
      const value = typeof input === 'number' ? input : inBaseUnits(input, units);
      let text: string | undefined;
      if (value === undefined || !Number.isInteger(value)) text = `expected ${what}`;
      else if (value < min) text = `must be at least ${inUnits(min, units)}`;
      else if (value > max) text = `must be at most ${inUnits(max, units)}`;
      else return value;
      context.addIssue(`${text}, got ${shown(input)}`);
      return z.NEVER;
    });
}

/** Whole numbers only: a fraction could round to 0, which switches things off. */
function inBaseUnits(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const match = /^(\d{1,16}) ?([A-Za-z]+)$/.exec(text.trim());
  const unit = match && units.get(match[2]!);
  return unit ? Number(match[1]) * unit : undefined;
}

function inUnits(value: number, units: ReadonlyMap<string, number>): string {
  for (const [unit, factor] of units) {
    if (value !== 0 && value % factor === 0) return `${value / factor}${unit}`;
  }
  return String(value);
}

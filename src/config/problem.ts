/** What is wrong with a configuration, in words: where, which key, and what would be right. */
import type { z } from 'zod';
import { MqttStreamError } from '../errors.js';
import { dotted, type Path } from './path.js';
import { keysOf, nearest, schemaAt } from './shape.js';

export interface Problem {
  /** The key; empty for the whole. */
  readonly path: Path;
  /** What is wrong and what would be right, on one line. */
  readonly text: string;
  /** `config.yaml:12` or the name of a variable, where it is known already. */
  readonly place?: string;
}

const MAX_SHOWN = 50;

const KINDS: Readonly<Record<string, string>> = {
  object: 'a map of keys',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
};

/** The input as `schema` sees it: the parsed value, or what is wrong with it. */
export function check<S extends z.ZodType>(
  schema: S,
  input: unknown,
): { value?: z.output<S>; problems: readonly Problem[] } {
  const result = schema.safeParse(input, { error: wording });
  if (result.success) return { value: result.data, problems: [] };
  const problems = new Map<string, Problem>();
  for (const issue of result.error.issues) {
    const path = issue.path as Path;
    const found =
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({ path: [...path, key], text: unknownKey(schema, path, key) }))
        : [{ path, text: issue.message }];
    // The first problem of a key explains the ones after it.
    for (const problem of found) {
      const at = dotted(problem.path);
      if (!problems.has(at)) problems.set(at, problem);
    }
  }
  return { problems: [...problems.values()] };
}

/** CONFIG_INVALID with one line a problem; `placeOf` tells where the value at a path comes from. */
export function invalid(problems: readonly Problem[], placeOf: (path: Path) => string): MqttStreamError {
  const lines = problems.map(({ path, text, place }) =>
    [place ?? placeOf(path), dotted(path), text].filter(Boolean).join(': '),
  );
  const distinct = [...new Set(lines)];
  const left = distinct.splice(MAX_SHOWN).length;
  if (left > 0) distinct.push(`and ${left} more`);
  return new MqttStreamError('CONFIG_INVALID', [distinct.join('\n')]);
}

function unknownKey(schema: z.ZodType, path: Path, key: string): string {
  const map = schemaAt(schema, path);
  return noSuchKey(key, map ? keysOf(map) : []);
}

/** `key` is none of `known`; `prefix` is what the known ones are shown with. */
export function noSuchKey(key: string, known: readonly string[], prefix = ''): string {
  const meant = nearest(key, known);
  return meant
    ? `there is no such key; did you mean ${prefix}${meant}?`
    : `there is no such key; known are ${known.map((word) => prefix + word).join(', ')}`;
}

/** For every schema that has no words of its own. */
function wording(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      const kind = KINDS[issue.expected] ?? issue.expected;
      return issue.input === undefined
        ? `is missing; expected ${kind}`
        : `expected ${kind}, got ${shown(issue.input)}`;
    }
    case 'invalid_value':
      return `expected one of ${issue.values.join(', ')}, got ${shown(issue.input)}`;
    case 'not_multiple_of':
      return `expected a whole number, got ${shown(issue.input)}`;
    case 'too_small':
      return issue.origin === 'array'
        ? `expected at least ${issue.minimum} in the list`
        : `must be at least ${issue.minimum}, got ${shown(issue.input)}`;
    case 'too_big':
      return `must be at most ${issue.maximum}, got ${shown(issue.input)}`;
    default:
      return undefined;
  }
}

/** A short, one-line rendering of a bad value for an error text. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
